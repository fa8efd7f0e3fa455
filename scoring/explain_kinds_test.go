package scoring_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// explained scores a row, and expects base, score and terms.
func explained(t *testing.T, m *scoring.Model, row scoring.Row, method, class string, base, score float64, terms map[string]float64) {
	t.Helper()
	s := m.NewScorer()
	if _, err := s.Score(row); err != nil {
		t.Fatal(err)
	}
	x, err := s.Explain()
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*(1+math.Abs(b)) }
	if x.Method != method || x.Class != class || !near(x.Base, base) || !near(x.Score, score) || len(x.Terms) != len(terms) {
		t.Errorf("%+v, want %s of %s from %v to %v by %v", x, method, class, base, score, terms)
	}
	for _, p := range x.Terms {
		if !near(p.Value, terms[p.Name]) {
			t.Errorf("%s adds %v, want %v", p.Name, p.Value, terms[p.Name])
		}
	}
}

func TestADistanceIsExplainedByWhatEachFieldAdds(t *testing.T) {
	of := func(measure string) *scoring.Model {
		return load(t, document(doubles("x", "y"), clusters("centerBased", `<ComparisonMeasure kind="distance">`+measure+`</ComparisonMeasure>`, `<ClusteringField field="x"/><ClusteringField field="y" fieldWeight="2"/>`,
			`<Cluster id="a"><Array n="2" type="real">0 0</Array></Cluster><Cluster id="b"><Array n="2" type="real">40 40</Array></Cluster>`, "x", "y")))
	}
	row := scoring.Row{"x": 3, "y": -4}
	explained(t, of("<squaredEuclidean/>"), row, "distance", "a", 0, 41, map[string]float64{"x": 9, "y": 32})
	d := math.Sqrt(41)
	explained(t, of("<euclidean/>"), row, "distance", "a", 0, d, map[string]float64{"x": d * 9 / 41, "y": d * 32 / 41})
	explained(t, of("<cityBlock/>"), row, "distance", "a", 0, 11, map[string]float64{"x": 3, "y": 8})
	explained(t, of("<chebychev/>"), row, "distance", "a", 0, 8, map[string]float64{"y": 8})
	explained(t, of("<cityBlock/>"), scoring.Row{"x": 3}, "distance", "a", 0, 6, map[string]float64{"x": 6}) // twice: y is missing
}

func TestAPredictionOfNeighboursIsExplainedByEachOfThem(t *testing.T) {
	m := load(t, nearest("regression", `numberOfNeighbors="2" instanceIdVariable="id" continuousScoringMethod="weightedAverage" threshold="0.5"`, "", instances(four), euclid, knnInput, "=t"))
	explained(t, m, scoring.Row{"x": 2.5}, "neighbours", "", 0, (1*4+0.5*2)/1.5, map[string]float64{"r2": 4 / 1.5, "r1": 1 / 1.5})
	m = load(t, nearest("classification", `numberOfNeighbors="3" instanceIdVariable="id"`, "", instances(four), euclid, knnInput, "=c"))
	explained(t, m, scoring.Row{"x": 0}, "neighbours", "b", 0, 2.0/3, map[string]float64{"r1": 1.0 / 3, "r2": 1.0 / 3})
}

func TestALinearMachineIsExplainedByWhatEachFieldAdds(t *testing.T) {
	m := load(t, supportVectors("regression", "", svmLinear, svmVectors, machine("", "2", "-3", "0.25"), "t"))
	explained(t, m, scoring.Row{"x": 4, "y": 1.5}, "linear", "", 0.25, 3.75, map[string]float64{"x": 8, "y": -4.5})
	m = load(t, supportVectors("classification", "", svmLinear, svmVectors, machine(`targetCategory="a" alternateTargetCategory="b"`, "1", "0", "0"), "c"))
	explained(t, m, scoring.Row{"x": -1, "y": 0}, "linear", "b", 0, -1, map[string]float64{"x": -1})
	s := load(t, supportVectors("regression", "", "<RadialBasisKernelType/>", svmVectors, machine("", "2", "-3", "0.25"), "t")).NewScorer()
	if _, err := s.Score(scoring.Row{"x": 1, "y": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Explain(); !errors.Is(err, scoring.ErrNoExplanation) {
		t.Errorf("a radial machine is explained: %v", err)
	}
}

// ln(prior odds 3) + ln(0.8/1 of a) …: a over b is 0.75·0.8 to 0.25·1.
func TestNaiveBayesIsExplainedByTheOddsOfEachInput(t *testing.T) {
	m := load(t, naiveBayes(`threshold="0.001"`, onlyForA, strings.Replace(halves, `"50"`, `"150"`, 1)))
	explained(t, m, scoring.Row{"g": "f"}, "odds over b", "a", math.Log(3), math.Log(2.4), map[string]float64{"g": math.Log(0.8)})
}
