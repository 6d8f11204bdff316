"""The protocol's raw protobuf types, taken from inside google-cloud-firestore.

The client library wraps every message in a proto-plus class, which costs ten times the message itself. The server
works on the plain messages underneath. They carry no static types, hence the aliases to `Any` that only say what is
meant.
"""

from typing import Any, TypeAlias

from google.cloud.firestore_v1.types import common, document, firestore, query, query_profile, write

Message: TypeAlias = Any
ValuePb: TypeAlias = Any
DocumentPb: TypeAlias = Any
WritePb: TypeAlias = Any
QueryPb: TypeAlias = Any
FilterPb: TypeAlias = Any

Document: Any = document.Document.pb()
Value: Any = document.Value.pb()
MapValue: Any = document.MapValue.pb()
ArrayValue: Any = document.ArrayValue.pb()
Precondition: Any = common.Precondition.pb()
TransactionOptions: Any = common.TransactionOptions.pb()
Write: Any = write.Write.pb()
WriteResult: Any = write.WriteResult.pb()
FieldTransform: Any = write.DocumentTransform.FieldTransform.pb()
StructuredQuery: Any = query.StructuredQuery.pb()
ExplainMetrics: Any = query_profile.ExplainMetrics.pb()
StructuredAggregationQuery: Any = query.StructuredAggregationQuery.pb()


def rpc_types(rpc: str) -> tuple[Any, Any]:
    """Return the request and response message classes of an RPC that has both under its own name, e.g. `Commit`."""
    return getattr(firestore, f"{rpc}Request").pb(), getattr(firestore, f"{rpc}Response").pb()


GetDocumentRequest: Any = firestore.GetDocumentRequest.pb()
CreateDocumentRequest: Any = firestore.CreateDocumentRequest.pb()
UpdateDocumentRequest: Any = firestore.UpdateDocumentRequest.pb()
DeleteDocumentRequest: Any = firestore.DeleteDocumentRequest.pb()
RollbackRequest: Any = firestore.RollbackRequest.pb()
