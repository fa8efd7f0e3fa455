import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.EvaluatorUtil;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

/** Scores CSV rows (header first, empty = missing) with JPMML-Evaluator, the outside oracle, as a process of its own:
 * Score MODEL.pmml < rows.csv > answers.csv, one line a row: the first target's value, as Java prints a double. */
public class Score {
	public static void main(String[] args) throws Exception {
		Evaluator evaluator = new LoadingModelEvaluatorBuilder().load(new File(args[0])).build();
		evaluator.verify();
		String target = evaluator.getTargetFields().get(0).getName();
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
		String[] header = in.readLine().split(",", -1);
		StringBuilder out = new StringBuilder();
		for (String line; (line = in.readLine()) != null;) {
			String[] cells = line.split(",", -1);
			Map<String, Object> row = new LinkedHashMap<>();
			for (int i = 0; i < header.length; i++) {
				if (!cells[i].isEmpty()) {
					row.put(header[i], Double.valueOf(cells[i]));
				}
			}
			out.append(EvaluatorUtil.decodeAll(evaluator.evaluate(row)).get(target)).append('\n');
		}
		System.out.print(out);
	}
}
