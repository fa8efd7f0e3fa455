import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.dmg.pmml.ComplexValue;
import org.dmg.pmml.ResultFeature;
import org.jpmml.evaluator.Computable;
import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.HasConfidence;
import org.jpmml.evaluator.HasEntityId;
import org.jpmml.evaluator.HasProbability;
import org.jpmml.evaluator.HasReasonCodeRanking;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;
import org.jpmml.evaluator.OutputField;
import org.jpmml.evaluator.OutputFilters;
import org.jpmml.evaluator.TargetField;
import org.jpmml.evaluator.association.Association;
import org.jpmml.evaluator.time_series.SeriesForecast;

/** Answers rows with JPMML-Evaluator, the outside oracle, as a process of its own.
 *
 * A line in is "M path", which loads a model, or a JSON object, which is a row for it.
 * A line out answers each: {} or {"error":{"kind":"load",...}}; and what "pmml score --full" prints:
 * the targets and outputs, and "_targets" with what the model says beside the value; or {"error":{...}}. */
public class Oracle {
	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
		PrintStream out = new PrintStream(System.out, false, "UTF-8");
		Evaluator evaluator = null;
		String refused = null;
		for (String line; (line = in.readLine()) != null;) {
			if (line.startsWith("M ")) {
				evaluator = null;
				refused = null;
				try {
					evaluator = new LoadingModelEvaluatorBuilder().setExtraResultFeatures(EnumSet.allOf(ResultFeature.class)).setOutputFilter(OutputFilters.KEEP_FINAL_RESULTS).load(new File(line.substring(2))).build();
					evaluator.verify();
					out.println("{}");
				} catch (Exception | StackOverflowError e) {
					evaluator = null;
					refused = error("load", e);
					out.println(refused);
				}
			} else if (evaluator == null) {
				out.println(refused);
			} else {
				try {
					out.println(score(evaluator, new Json(line).object()));
				} catch (Exception | StackOverflowError e) {
					out.println(error("row", e));
				}
			}
			if (!in.ready()) {
				out.flush();
			}
		}
		out.flush();
	}

	static String error(String kind, Throwable e) {
		StringBuilder b = new StringBuilder("{\"error\":{\"kind\":\"" + kind + "\",\"message\":");
		text(b, e.getClass().getSimpleName() + ": " + e.getMessage());
		return b.append("}}").toString();
	}

	static String score(Evaluator evaluator, Map<String, Object> row) {
		Map<String, ?> results = evaluator.evaluate(row);
		StringBuilder b = new StringBuilder("{");
		for (Map.Entry<String, ?> e : results.entrySet()) {
			text(b, e.getKey() == null ? "_target" : e.getKey());
			write(b.append(':'), e.getValue());
			b.append(',');
		}
		b.append("\"_targets\":{");
		boolean more = false;
		for (TargetField t : evaluator.getTargetFields()) {
			if (hidden(evaluator, t.getName())) {
				continue;
			}
			text(more ? b.append(',') : b, t.getName() == null ? "_target" : t.getName());
			detail(b.append(':'), results.get(t.getName()));
			more = true;
		}
		return b.append("}}").toString();
	}

	/** Whether an output of the same name stands in the target's place. */
	static boolean hidden(Evaluator evaluator, String target) {
		for (OutputField o : evaluator.getOutputFields()) {
			if (o.getName().equals(target)) {
				return true;
			}
		}
		return false;
	}

	static void detail(StringBuilder b, Object v) {
		write(b.append("{\"value\":"), v);
		if (v instanceof HasProbability) {
			HasProbability p = (HasProbability)v;
			b.append(",\"probability\":{");
			boolean more = false;
			for (Object c : p.getCategories()) {
				text(more ? b.append(',') : b, String.valueOf(c));
				write(b.append(':'), p.getProbability(c));
				more = true;
			}
			b.append('}');
		}
		if (v instanceof HasConfidence) {
			HasConfidence p = (HasConfidence)v;
			boolean none = true; // JPMML says 0 of every class where the document has no confidence
			for (Object c : p.getCategories()) {
				none &= p.getConfidence(c) == null || p.getConfidence(c) == 0;
			}
			if (!none) {
				b.append(",\"confidence\":{");
				boolean more = false;
				for (Object c : p.getCategories()) {
					text(more ? b.append(',') : b, String.valueOf(c));
					write(b.append(':'), p.getConfidence(c));
					more = true;
				}
				b.append('}');
			}
		}
		if (v instanceof HasEntityId) {
			write(b.append(",\"entityId\":"), ((HasEntityId)v).getEntityId());
		}
		if (v instanceof HasReasonCodeRanking) {
			write(b.append(",\"reasons\":"), ((HasReasonCodeRanking)v).getReasonCodeRanking());
		}
		b.append('}');
	}

	static void write(StringBuilder b, Object v) {
		if (v instanceof Association) { // predicts nothing: its outputs select rules
			v = null;
		} else if (v instanceof SeriesForecast) { // its result is the first value alone
			v = ((SeriesForecast)v).getValues();
		} else if (v instanceof Computable) {
			v = ((Computable)v).getResult();
		}
		if (v instanceof ComplexValue) {
			v = ((ComplexValue)v).toSimpleValue(); // dates and times
		}
		if (v == null || v instanceof Boolean || v instanceof Integer || v instanceof Long) {
			b.append(v);
		} else if (v instanceof Number) {
			double d = ((Number)v).doubleValue();
			if (Double.isNaN(d)) {
				b.append("\"NaN\"");
			} else if (Double.isInfinite(d)) {
				b.append(d > 0 ? "\"+Inf\"" : "\"-Inf\"");
			} else {
				b.append(d);
			}
		} else if (v instanceof Collection) {
			b.append('[');
			boolean more = false;
			for (Object e : (Collection<?>)v) {
				write(more ? b.append(',') : b, e);
				more = true;
			}
			b.append(']');
		} else {
			text(b, v.toString());
		}
	}

	static void text(StringBuilder b, String s) {
		b.append('"');
		for (int i = 0; i < s.length(); i++) {
			char c = s.charAt(i);
			if (c == '"' || c == '\\') {
				b.append('\\').append(c);
			} else if (c < ' ') {
				b.append(String.format("\\u%04x", (int)c));
			} else {
				b.append(c);
			}
		}
		b.append('"');
	}

	/** Reads one JSON object. A number without point or exponent is an Integer or a Long, any other a Double. */
	static class Json {
		final String s;
		int at;

		Json(String s) {
			this.s = s;
		}

		Map<String, Object> object() {
			Object v = value();
			blank();
			if (!(v instanceof Map) || at < s.length()) {
				throw new IllegalArgumentException("the line is no JSON object");
			}
			@SuppressWarnings("unchecked")
			Map<String, Object> m = (Map<String, Object>)v;
			return m;
		}

		Object value() {
			blank();
			char c = next();
			switch (c) {
				case '{': {
					Map<String, Object> m = new LinkedHashMap<>();
					for (blank(); peek() != '}'; blank()) {
						if (!m.isEmpty()) {
							want(',');
							blank();
						}
						want('"');
						String k = string();
						blank();
						want(':');
						m.put(k, value());
					}
					at++;
					return m;
				}
				case '[': {
					List<Object> l = new ArrayList<>();
					for (blank(); peek() != ']'; blank()) {
						if (!l.isEmpty()) {
							want(',');
						}
						l.add(value());
					}
					at++;
					return l;
				}
				case '"':
					return string();
				default: {
					int from = at - 1;
					while (at < s.length() && "+-.".indexOf(s.charAt(at)) >= 0 || at < s.length() && Character.isLetterOrDigit(s.charAt(at))) {
						at++;
					}
					String t = s.substring(from, at);
					switch (t) {
						case "null":
							return null;
						case "true":
							return true;
						case "false":
							return false;
						default:
							break;
					}
					if (t.matches("-?[0-9]+")) {
						long n = Long.parseLong(t);
						if (n == (int)n) {
							return (int)n;
						}
						return n;
					}
					return Double.valueOf(t);
				}
			}
		}

		String string() {
			StringBuilder b = new StringBuilder();
			for (char c; (c = next()) != '"';) {
				if (c != '\\') {
					b.append(c);
					continue;
				}
				c = next();
				switch (c) {
					case 'n':
						b.append('\n');
						break;
					case 't':
						b.append('\t');
						break;
					case 'r':
						b.append('\r');
						break;
					case 'b':
						b.append('\b');
						break;
					case 'f':
						b.append('\f');
						break;
					case 'u':
						b.append((char)Integer.parseInt(s.substring(at, at + 4), 16));
						at += 4;
						break;
					default:
						b.append(c);
				}
			}
			return b.toString();
		}

		void blank() {
			while (at < s.length() && Character.isWhitespace(s.charAt(at))) {
				at++;
			}
		}

		char peek() {
			if (at >= s.length()) {
				throw new IllegalArgumentException("the line ends too soon");
			}
			return s.charAt(at);
		}

		char next() {
			char c = peek();
			at++;
			return c;
		}

		void want(char c) {
			if (next() != c) {
				throw new IllegalArgumentException("no " + c + " at " + at);
			}
		}
	}
}
