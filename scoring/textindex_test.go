package scoring

import (
	"math"
	"strings"
	"testing"
)

func indexed(t *testing.T, attrs, normalization, term, s string) (float64, error) {
	t.Helper()
	doc := strings.ReplaceAll(looksBack(`<TextIndex textField="g" `+attrs+`>`+normalization+`<Constant dataType="string">`+term+`</Constant></TextIndex>`), `<NumericPredictor name="x" coefficient="1"/>`, "")
	m, err := Load(strings.NewReader(doc))
	if err != nil {
		return 0, err
	}
	res, err := m.Score(Row{"g": s})
	return res.Float("o"), err
}

// What JPMML does not do: the augmented weight, and terms that are not words.
func TestTermsAreWeighedAndFoundAnywhere(t *testing.T) {
	f := func(attrs, term, s string, want float64) {
		t.Helper()
		if got, err := indexed(t, attrs, "", term, s); err != nil || math.Abs(got-want) > 1e-15 {
			t.Errorf("%s %s in %q: %v %v, want %v", attrs, term, s, got, err, want)
		}
	}
	// PMML 4.4.1: 0.5·(χ(f) + f/max f): drill 3, bit 1.
	f(`localTermWeights="augmentedNormalizedTermFrequency"`, "drill", "drill bit drill drill", 1)
	f(`localTermWeights="augmentedNormalizedTermFrequency"`, "bit", "drill bit drill drill", 0.5*(1+1./3))
	f(`localTermWeights="augmentedNormalizedTermFrequency"`, "mud", "drill bit drill drill", 0)
	f(`localTermWeights="logarithmic"`, "drill", "drill bit drill drill", math.Log10(4))
	f(`tokenize="false"`, "ill", "drill bit drills", 2)
	f(`tokenize="false" maxLevenshteinDistance="1"`, "dx", "drill bit", 1) // letter for letter
}

func TestANormalizationComesToAnEnd(t *testing.T) {
	table := func(rows string) string {
		return `<TextIndexNormalization recursive="true"><InlineTable>` + rows + `</InlineTable></TextIndexNormalization>`
	}
	if got, err := indexed(t, "", table(`<row><string>aa</string><stem>a</stem><regex>true</regex></row>`), "a", strings.Repeat("a", 64)); err != nil || got != 1 {
		t.Error(got, err)
	}
	_, err := indexed(t, "", table(`<row><string>a</string><stem>aa</stem><regex>true</regex></row>`), "b", "a")
	if err == nil || !strings.Contains(err.Error(), "makes a text longer") {
		t.Error(err)
	}
	_, err = indexed(t, "", table(`<row><string>(a)(b)</string><stem>$2$1</stem><regex>true</regex></row><row><string>(b)(a)</string><stem>$2$1</stem><regex>true</regex></row>`), "b", "abc")
	if err != nil {
		t.Error(err)
	}
	_, err = indexed(t, "", table(`<row><string>^(.*)$</string><stem>${1}x</stem><regex>true</regex></row>`), "b", "a")
	if err == nil {
		t.Error("a normalization that never ends is taken")
	}
	_, err = indexed(t, `wordSeparatorCharacterRE="(?&lt;=x)"`, "", "b", "a")
	if err == nil || !strings.Contains(err.Error(), "look-behind") {
		t.Error(err)
	}
}
