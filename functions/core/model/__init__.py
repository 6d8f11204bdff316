"""The waste domain and the model: prompt, schema, parsing, result, usage."""
