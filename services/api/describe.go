package api

import "github.com/danielgtaylor/huma/v2"

// describeLive puts the WebSocket, which huma does not serve, into the description.
func (a *API) describeLive() {
	if a.openapi.OpenAPI().Paths == nil {
		a.openapi.OpenAPI().Paths = map[string]*huma.PathItem{}
	}
	a.openapi.OpenAPI().Paths[root+"/live"] = &huma.PathItem{Get: &huma.Operation{
		OperationID: "live", Summary: "The live channel: a WebSocket",
		Description: "Wishes go up as JSON text, `{\"op\":\"fleet\",\"on\":true}`, `{\"op\":\"alarms\",\"on\":true}`, " +
			"`{\"op\":\"drill\",\"drill\":\"RIG-07\",\"channels\":[\"SPP\"],\"sub\":1}`, `{\"op\":\"off\",\"what\":\"drill\"}`, `{\"op\":\"ping\"}`. " +
			"Down come JSON texts by `type` (hello, fleet, score, alarm, counts, models, annotations, error, pong) and readings as binary columns, little endian: " +
			"u8 version=1, u8 kind=1, u16 channels n, u32 sub, f64 base in ms since the epoch; then n times u16 index into the channels wished for, " +
			"u16 rows m, u32 quality of the newest (0 good, 1 held by the device, 2 out of range, 3 worked out by it), m f64 of time minus base in ms, m f64 least, m f64 greatest. " +
			"A client that does not read for 5 s is cut off; what it missed in between is replaced by what is newer.",
		Security:   []map[string][]string{{"session": {}}, {"token": {}}},
		Extensions: map[string]any{"x-role": "viewer"},
		Responses: map[string]*huma.Response{
			"101": {Description: "The connection becomes a WebSocket"},
			"401": {Description: "Nobody is signed in"},
			"426": {Description: "The request is no WebSocket"},
			"503": {Description: "Too many live channels are open"},
		},
	}}
}
