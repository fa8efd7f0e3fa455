import java.io.File;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

/** Times JPMML-Evaluator, a process of its own: Bench ROWS.csv NAME=MODEL.pmml…, a line each: NAME rows/s load-seconds, both of CPU time. */
public class Bench {
	public static void main(String[] args) throws Exception {
		ThreadMXBean threads = ManagementFactory.getThreadMXBean();
		List<String> lines = Files.readAllLines(Path.of(args[0]));
		String[] header = lines.get(0).split(",");
		List<Map<String, Object>> rows = new ArrayList<>();
		for (String line : lines.subList(1, Math.min(lines.size(), 20001))) {
			String[] cells = line.split(",");
			Map<String, Object> row = new LinkedHashMap<>();
			for (int i = 0; i < header.length; i++) {
				row.put(header[i], Double.valueOf(cells[i]));
			}
			rows.add(row);
		}
		for (int a = 1; a < args.length; a++) {
			String[] model = args[a].split("=", 2);
			long begin = threads.getCurrentThreadCpuTime();
			Evaluator evaluator = new LoadingModelEvaluatorBuilder().load(new File(model[1])).build();
			evaluator.verify();
			double load = (threads.getCurrentThreadCpuTime() - begin) / 1e9;
			double best = 0;
			for (int round = 0; round < 8; round++) { // the first ones warm the compiler up
				long from = threads.getCurrentThreadCpuTime();
				long until = from + 1_000_000_000L;
				int n = 0;
				while (threads.getCurrentThreadCpuTime() < until) {
					for (int i = 0; i < 100; i++) {
						evaluator.evaluate(rows.get(n++ % rows.size()));
					}
				}
				best = Math.max(best, n * 1e9 / (threads.getCurrentThreadCpuTime() - from));
			}
			System.out.printf("%s %.0f %.3f%n", model[0], best, load);
		}
	}
}
