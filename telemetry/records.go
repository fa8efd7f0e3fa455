package telemetry

// Kinds of Marker.
const (
	MarkerModel   = "model"
	MarkerRules   = "rules"
	MarkerChannel = "channel"
	MarkerRun     = "run" // bit, BHA or machine part changed
)

// A Marker switches something from its own offset on: its record lies in every
// partition of frames and backfill, repeated until each has it, the first
// counting. Value of a record with header kind=marker, JSON.
type Marker struct {
	ID      string   `json:"id"` // the same in each partition
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Version int      `json:"version"`
	SHA256  string   `json:"sha256,omitempty"` // hex; names the blob
	Action  string   `json:"action"`           // activate or deactivate
	Shadow  bool     `json:"shadow,omitempty"` // score beside, raise nothing
	Canary  bool     `json:"canary,omitempty"` // in the place of the version that is on, for Drills alone
	Drills  []string `json:"drills,omitempty"` // globs; empty: all
	From    int64    `json:"from,string,omitempty"`
	By      string   `json:"by"`
	At      int64    `json:"at,string"` // process clock

	Run *RunChange `json:"run,omitempty"` // of MarkerRun; Drills names its one drill, From when it happened
}

// A RunChange says what happened to the equipment at one position of a drill: a
// part came, went, or was worked on. It holds from Marker.From on, also where it
// is told later; told again under the same Marker.Name it takes the place of what
// was told before, and with action deactivate it never was.
type RunChange struct {
	Position string             `json:"position"`           // bit, bha, top_drive, top_drive/bearing, pump_1/liner, …
	Run      string             `json:"run,omitempty"`      // names the run in scores, as bit:SN-1234; empty: nothing is there
	Keeps    bool               `json:"keeps,omitempty"`    // the run goes on: a part was worked on
	Event    string             `json:"event,omitempty"`    // what features count from: hours__since__event_bit_change
	Channels []string           `json:"channels,omitempty"` // that describe the part: their features' baselines begin anew
	Numbers  map[string]float64 `json:"numbers,omitempty"`  // of the part, read as part.POSITION_NAME, as part.top_drive_bearing_bpfo
}

// Quarantined is a message, or one run of a frame, that was set aside; records
// of the quarantine topic.
type Quarantined struct {
	ID       string   `json:"id"` // hex hash of what was set aside: the same when sent again
	Gateway  string   `json:"gateway"`
	Drill    string   `json:"drill,omitempty"`
	Device   string   `json:"device,omitempty"`
	Topic    string   `json:"topic"` // MQTT topic
	Received int64    `json:"received,string"`
	Code     string   `json:"code"`            // malformed, too_large, wrong_shape, physical_limit, unknown_drill, …
	Field    string   `json:"field,omitempty"` // JSON path or channel
	Message  string   `json:"message"`         // what is wrong
	Cure     string   `json:"cure"`            // what to do about it
	Frame    *FrameID `json:"frame,omitempty"` // when one run of a frame is set aside
	Raw      []byte   `json:"raw"`             // the bytes as they came, cut at 1 MB
	RawSize  int      `json:"raw_size"`        // before the cut
}

// A GatewayStatus is what a gateway says of itself every few seconds; records of
// the gateways topic, keyed by gateway.
type GatewayStatus struct {
	Gateway  string           `json:"gateway"`
	At       int64            `json:"at,string"`
	Started  int64            `json:"started,string"`
	Version  string           `json:"version"`
	Sessions []DeviceSession  `json:"sessions"`
	Spool    SpoolStatus      `json:"spool"`
	Accepted []Accepted       `json:"accepted"` // from its durable ledger; only what changed since the last status, all after a start
	Damage   []Damage         `json:"damage,omitempty"`
	Counters map[string]int64 `json:"counters"` // messages, readings_dropped, quarantined, refused, …
}

// DeviceSession is one device's MQTT session.
type DeviceSession struct {
	Device    string  `json:"device"`
	Drill     string  `json:"drill"`
	Connected bool    `json:"connected"`
	Since     int64   `json:"since,string"`
	LastSeen  int64   `json:"last_seen,string"`
	Remote    string  `json:"remote"`
	SkewS     float64 `json:"skew_s"` // device clock minus gateway clock, estimated
	Messages  int64   `json:"messages"`
	QoS0      int64   `json:"qos0,omitempty"`   // of these at QoS 0: lost on the way, they are not sent again
	Reason    string  `json:"reason,omitempty"` // why it was refused or cut off
}

// SpoolStatus is the state of a gateway's spool.
type SpoolStatus struct {
	Bytes    int64  `json:"bytes"`
	Limit    int64  `json:"limit"`
	Frames   int64  `json:"frames"` // not yet in the log
	OldestTS int64  `json:"oldest,string"`
	Full     bool   `json:"full"` // acknowledgements are withheld
	Error    string `json:"error,omitempty"`
}

// Accepted is the ledger of one boot of one device: which numbers a stage has.
type Accepted struct {
	Drill  string      `json:"drill"`
	Device string      `json:"device"`
	Boot   string      `json:"boot"`
	Ranges [][2]uint64 `json:"ranges"` // inclusive, ascending, disjoint
}

// Damage names spool records that could not be read back.
type Damage struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	At      int64  `json:"at,string"`
}

// Kinds of Control record; its key is kind/name.
const (
	ControlDevice  = "device"
	ControlChannel = "channel"
	ControlModel   = "model"
	ControlRules   = "rules"
)

// A Device may publish frames of its drill; value of control record device/ID.
// A tombstone revokes it.
type Device struct {
	ID       string `json:"id"`       // also the user name
	Drill    string `json:"drill"`    // it may publish for this drill only
	Password string `json:"password"` // argon2id, PHC string; never the word itself
	Created  int64  `json:"created,string"`
	Disabled bool   `json:"disabled,omitempty"`

	Names map[string]Name `json:"names,omitempty"` // by what the device calls its readings; others go by their own name
}

// A Name says which channel a reading is that a device or a site calls otherwise.
// Value = (v·Factor + Shift), then from Unit.
type Name struct {
	Channel string  `json:"channel,omitempty"`
	Unit    string  `json:"unit,omitempty"`   // as it is sent; empty: the channel's, or what the message says
	Factor  float64 `json:"factor,omitempty"` // 0 is 1
	Shift   float64 `json:"shift,omitempty"`
	Drop    bool    `json:"drop,omitempty"` // known, and not wanted
}

// ModelState is the present state of a model; value of control record model/NAME.
type ModelState struct {
	Name    string   `json:"name"`
	Version int      `json:"version"`
	SHA256  string   `json:"sha256"`
	Shadow  bool     `json:"shadow,omitempty"`
	Canary  bool     `json:"canary,omitempty"`
	Drills  []string `json:"drills,omitempty"`
}
