import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;

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
import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.Node;

/** Answers rows with JPMML-Evaluator, the outside oracle, as a process of its own.
 *
 * A line in is "M path", which loads a model, or a JSON object, which is a row for it.
 * A line out answers each: {} or {"error":{"kind":"load",...}}; and what "pmml score --full" prints:
 * the targets and outputs, and "_targets" with what the model says beside the value; or {"error":{...}}.
 * An error for which an output alone is to blame has "parts" beside it: {"":the answer without outputs,"name":that output's value or {"error":{...}}}. */
public class Oracle {
	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
		PrintStream out = new PrintStream(System.out, false, "UTF-8");
		Evaluator evaluator = null;
		Parts parts = null;
		String refused = null;
		for (String line; (line = in.readLine()) != null;) {
			if (line.startsWith("M ")) {
				evaluator = null;
				refused = null;
				parts = new Parts(new File(line.substring(2)));
				try {
					evaluator = builder().load(new File(line.substring(2))).build();
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
					String error = error("row", e);
					String by = parts.of(line);
					out.println(by == null ? error : error.substring(0, error.length() - 1) + ",\"parts\":" + by + "}");
				}
			}
			if (!in.ready()) {
				out.flush();
			}
		}
		out.flush();
	}

	static LoadingModelEvaluatorBuilder builder() {
		return new LoadingModelEvaluatorBuilder().setExtraResultFeatures(EnumSet.allOf(ResultFeature.class)).setOutputFilter(OutputFilters.KEEP_FINAL_RESULTS);
	}

	/** The model with one output at a time, and those that it reads: one that fails hides the others. */
	static class Parts {
		final File file;
		Map<String, Evaluator> evaluators;

		Parts(File file) {
			this.file = file;
		}

		String of(String row) {
			try {
				if (evaluators == null) {
					evaluators = new LinkedHashMap<>();
					build();
				}
			} catch (Exception e) { // a part that cannot be loaded
				evaluators.clear();
			}
			StringBuilder b = new StringBuilder("{");
			for (Map.Entry<String, Evaluator> e : evaluators.entrySet()) {
				String name = e.getKey();
				text(name.isEmpty() ? b : b.append(','), name);
				b.append(':');
				try {
					Map<String, Object> in = new Json(row).object();
					if (name.isEmpty()) {
						b.append(score(e.getValue(), in));
					} else {
						StringBuilder v = new StringBuilder();
						write(v, e.getValue().evaluate(in).get(name));
						b.append(v);
					}
				} catch (Exception | StackOverflowError x) {
					if (name.isEmpty()) {
						return null;
					}
					b.append(error("row", x));
				}
			}
			return evaluators.isEmpty() ? null : b.append('}').toString();
		}

		void build() throws Exception {
			Document doc = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file);
			Element output = null;
			for (Element model : elements(doc.getDocumentElement())) {
				for (Element e : elements(model)) {
					if (output == null && name(e).equals("Output")) {
						output = e;
					}
				}
			}
			if (output == null) {
				return;
			}
			Map<String, Element> fields = new LinkedHashMap<>();
			for (Element e : elements(output)) {
				if (name(e).equals("OutputField")) {
					fields.put(e.getAttribute("name"), e);
				}
			}
			Map<String, Set<String>> reads = new LinkedHashMap<>();
			for (Map.Entry<String, Element> e : fields.entrySet()) {
				Set<String> to = new HashSet<>();
				mentioned(e.getValue(), fields.keySet(), to);
				for (String n : new ArrayList<>(to)) { // outputs before it, whose own are known
					to.addAll(reads.getOrDefault(n, Set.of()));
				}
				to.add(e.getKey());
				reads.put(e.getKey(), to);
			}
			evaluators.put("", load(doc, output, fields, Set.of()));
			for (Map.Entry<String, Set<String>> e : reads.entrySet()) {
				if (!"false".equals(fields.get(e.getKey()).getAttribute("isFinalResult"))) {
					evaluators.put(e.getKey(), load(doc, output, fields, e.getValue()));
				}
			}
		}

		static Evaluator load(Document doc, Element output, Map<String, Element> fields, Set<String> keep) throws Exception {
			for (Map.Entry<String, Element> e : fields.entrySet()) {
				if (e.getValue().getParentNode() == output) {
					output.removeChild(e.getValue());
				}
			}
			for (Map.Entry<String, Element> e : fields.entrySet()) {
				if (keep.contains(e.getKey())) {
					output.appendChild(e.getValue());
				}
			}
			ByteArrayOutputStream to = new ByteArrayOutputStream();
			TransformerFactory.newInstance().newTransformer().transform(new DOMSource(doc), new StreamResult(to));
			return builder().load(new ByteArrayInputStream(to.toByteArray())).build();
		}

		static void mentioned(Element e, Set<String> names, Set<String> to) {
			NamedNodeMap attributes = e.getAttributes();
			for (int i = 0; i < attributes.getLength(); i++) {
				Attr a = (Attr)attributes.item(i);
				if (!a.getName().equals("name") && names.contains(a.getValue())) {
					to.add(a.getValue());
				}
			}
			for (Element k : elements(e)) {
				mentioned(k, names, to);
			}
		}

		static String name(Element e) {
			return e.getTagName().substring(e.getTagName().indexOf(':') + 1);
		}

		static List<Element> elements(Element e) {
			List<Element> out = new ArrayList<>();
			for (Node n = e.getFirstChild(); n != null; n = n.getNextSibling()) {
				if (n instanceof Element) {
					out.add((Element)n);
				}
			}
			return out;
		}
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
