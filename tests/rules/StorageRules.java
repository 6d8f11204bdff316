import com.google.firebase.rules.lang.CompileResult;
import com.google.firebase.rules.lang.FirebaseRulesProtoCompiler;
import com.google.firebase.rules.runtime.common.EvaluationException;
import com.google.firebase.rules.runtime.evaluators.AuthRuleEvaluator.RuleContext;
import com.google.firebase.rules.runtime.impl.DefaultEvaluator;
import com.google.firebase.rules.runtime.utils.JsonUtils;
import com.google.firebase.rules.v1.File;
import com.google.firebase.rules.v1.Source;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;

/**
 * Google's rules engine on files of Cloud Storage rules. The emulator of Firestore brings it along, with what it knows of
 * `service firebase.storage`.
 *
 * <p>Reads from standard input one request a line: method, path, and the variables `request` and `resource` as JSON, with
 * tabs between them. Prints for each file in turn one line a request: allowed, or denied. Rules that do not compile, or
 * compile with a warning, end it with status 1.
 */
final class StorageRules {
  public static void main(String[] files) throws Exception {
    List<RuleContext> requests =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
            .lines().map(StorageRules::request).toList();
    for (String file : files) {
      DefaultEvaluator rules = compiled(Path.of(file));
      for (RuleContext request : requests) {
        System.out.println(permitted(rules, request) ? "allowed" : "denied");
      }
    }
  }

  private static RuleContext request(String line) {
    String[] parts = line.split("\t");
    return RuleContext.builder()
        .service("firebase.storage")
        .method(parts[0])
        .path(parts[1])
        .supplyVariable("request", JsonUtils.jsonToExpressionValue(parts[2]))
        .supplyVariable("resource", JsonUtils.jsonToExpressionValue(parts[3]))
        .build();
  }

  private static DefaultEvaluator compiled(Path rules) throws Exception {
    File file = File.newBuilder().setName(rules.toString()).setContent(Files.readString(rules)).build();
    Source source = Source.newBuilder().addFiles(file).build();
    CompileResult result = FirebaseRulesProtoCompiler.createStandalone().compile(source);
    if (!result.getIssues().isEmpty()) {
      System.err.println(result.getIssues());
      System.exit(1);
    }
    return new DefaultEvaluator(result.getRulesetAst());
  }

  /** A condition that cannot be evaluated, as one on a field that is missing, permits nothing. */
  private static boolean permitted(DefaultEvaluator rules, RuleContext request) throws Exception {
    try {
      return rules.evaluate(request).get().permit();
    } catch (ExecutionException error) {
      if (error.getCause() instanceof EvaluationException) {
        return false;
      }
      throw error;
    }
  }
}
