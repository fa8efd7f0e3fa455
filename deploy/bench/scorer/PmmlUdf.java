import java.io.File;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.InputField;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

/** probability(1) of the model at -Dpmml.model for a struct of its fields; one evaluator for the JVM. */
public class PmmlUdf implements UDF1<Row, Double> {
	private static class Held {
		static final Evaluator EVALUATOR;
		static final List<InputField> INPUTS;

		static {
			try {
				EVALUATOR = new LoadingModelEvaluatorBuilder().load(new File(System.getProperty("pmml.model"))).build();
				INPUTS = EVALUATOR.getInputFields();
			} catch (Exception e) {
				throw new RuntimeException(e);
			}
		}
	}

	@Override
	public Double call(Row r) {
		Map<String, Object> in = new HashMap<>(32);
		for (InputField f : Held.INPUTS) in.put(f.getName(), f.prepare(r.get(r.fieldIndex(f.getName()))));
		return ((Number) Held.EVALUATOR.evaluate(in).get("probability(1)")).doubleValue();
	}
}
