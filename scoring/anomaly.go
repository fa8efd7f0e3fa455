package scoring

import (
	"fmt"
	"strconv"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// anomaly is PMML 4.4.1, AnomalyDetectionModel: a model inside, whose result
// says how unlike the rest a row is.
type anomaly struct {
	kind  string // algorithmType
	inner *model
	path  float64   // iforest: average length of a path among sampleDataSize rows
	means []float64 // clusterMeanDist: by cluster
}

func (b *binder) anomaly(s *scope, e *element) evaluator {
	a := &anomaly{kind: e.get("algorithmType")}
	b.depth++
	defer func() { b.depth-- }()
	me := modelOf(e)
	switch {
	case b.depth > 50:
		b.bad.add(e, "", "models are nested deeper than 50", "flatten them")
		return nothing{}
	case me == nil:
		b.bad.add(e, "", "the AnomalyDetectionModel has no model in it", "export it again")
		return nothing{}
	}
	if e.get("x-mathContext") == "float" {
		b.bad.refuse(e, "x-mathContext=\"float\" of an AnomalyDetectionModel")
	}
	a.inner = b.model(s, me)
	wrong := func(need string) {
		b.bad.add(me, "", fmt.Sprintf("algorithmType=%q of a %s, functionName=%q", a.kind, me.name, a.inner.function), "want "+need)
	}
	switch a.kind {
	case "iforest":
		n, err := strconv.Atoi(e.get("sampleDataSize"))
		if err != nil || n < 2 {
			b.bad.add(e, "", fmt.Sprintf("sampleDataSize=%q of an isolation forest", clip(e.get("sampleDataSize"))), "want the number of rows that each tree was grown from, 2 or more")
			n = 2
		}
		if a.inner.function != "regression" {
			wrong("a regression that gives the mean length of the path")
		}
		f := float64(n)
		const euler = 0.57721566 // as the specification's text has it
		a.path = float64(2*(portable.Log(f-1)+euler)) - 2*(f-1)/f
	case "ocsvm":
		if me.name != "SupportVectorMachineModel" {
			wrong("a SupportVectorMachineModel")
		}
	case "clusterMeanDist":
		if me.name != "ClusteringModel" {
			wrong("a ClusteringModel")
			return a
		}
		k := e.first("MeanClusterDistances")
		if k == nil {
			b.bad.add(e, "", "clusterMeanDist without MeanClusterDistances", "give the mean distance of each cluster")
			return a
		}
		if arr := k.first("Array"); arr != nil {
			a.means = b.reals(arr)
		}
		if n := len(me.all("Cluster")); n != len(a.means) {
			b.bad.add(k, "", fmt.Sprintf("%d MeanClusterDistances for %d clusters", len(a.means), n), "give one for each, in their order")
		}
		for _, f := range a.means {
			if f == 0 {
				b.bad.add(k, "", "a mean distance is 0: nothing can be divided by it", "leave the cluster out")
			}
		}
	case "other":
	default:
		b.bad.add(e, "", fmt.Sprintf("algorithmType=%q is none", clip(a.kind)), "want iforest, ocsvm, clusterMeanDist or other")
	}
	return a
}

func (a *anomaly) evaluate(r *row, out *result) {
	res := a.inner.run(r)
	if res.v.k == missing {
		return
	}
	switch a.kind {
	case "iforest":
		out.v = num(portable.Pow(2, -res.v.f/a.path))
	case "clusterMeanDist":
		out.take(res)
		out.v = none
		if res.best >= 0 {
			out.v = num(res.near[res.best] / a.means[res.best])
		}
	default: // ocsvm: the signed distance; other: what the model says
		out.take(res)
	}
}

func (a *anomaly) labels() []string { return a.inner.classes }
