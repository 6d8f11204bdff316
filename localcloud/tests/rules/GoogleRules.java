import com.google.firebase.rules.lang.CompileResult;
import com.google.firebase.rules.lang.FirebaseRulesProtoCompiler;
import com.google.firebase.rules.lang.common.FirebaseRulesLangOptions;
import com.google.firebase.rules.runtime.evaluators.AuthRuleEvaluator.RuleContext;
import com.google.firebase.rules.runtime.impl.DefaultEvaluator;
import com.google.firebase.rules.runtime.utils.JsonUtils;
import com.google.firebase.rules.v1.File;
import com.google.firebase.rules.v1.Source;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutionException;

/**
 * Google's engine of security rules, which the emulator of Firestore brings along, also with what it knows of Storage.
 *
 * <p>Reads one question a line as JSON: rules, service, method, path, and the variables request and resource. Answers
 * each with one line: allowed, denied, error (no condition holds, and one has no value), refused (the rules do not
 * compile) or crashed (the compiler has a fault).
 */
final class GoogleRules {
  private static final FirebaseRulesLangOptions LANGUAGE =
      FirebaseRulesLangOptions.builder().allowTernaryOperator(true).build();

  public static void main(String[] none) throws Exception {
    BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      answers.println(answer(JsonParser.parseString(line).getAsJsonObject()));
    }
  }

  private static String compiledText = "";
  private static CompileResult compiled;

  private static String answer(JsonObject question) throws Exception {
    String text = question.get("rules").getAsString();
    if (!text.equals(compiledText)) {
      File file = File.newBuilder().setName("rules").setContent(text).build();
      Source source = Source.newBuilder().addFiles(file).build();
      try {
        compiled = FirebaseRulesProtoCompiler.createStandalone(LANGUAGE).compile(source);
      } catch (RuntimeException error) {
        return "crashed";
      }
      compiledText = text;
    }
    if (compiled.hasCompilationError()) {
      return "refused";
    }
    RuleContext request =
        RuleContext.builder()
            .service(question.get("service").getAsString())
            .method(question.get("method").getAsString())
            .path(question.get("path").getAsString())
            .supplyVariable("request", JsonUtils.jsonToExpressionValue(question.get("request").toString()))
            .supplyVariable("resource", JsonUtils.jsonToExpressionValue(question.get("resource").toString()))
            .build();
    try {
      return new DefaultEvaluator(compiled.getRulesetAst()).evaluate(request).get().permit() ? "allowed" : "denied";
    } catch (ExecutionException | RuntimeException error) {
      return "error";
    }
  }
}
