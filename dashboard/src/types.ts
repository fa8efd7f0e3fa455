// What travels over the API. The types of HTTP answers are generated from the API's own description (npm run generate);
// those of the live channel are written here. Times are RFC 3339 UTC; null is unknown.
import type { components, operations } from './schema.gen';

type Schema = components['schemas'];

export interface Clock { now: string; rate: number; demo: boolean; utc_offset_min?: number }
export interface Tour { start: string; end: string; hours: number }
export type Meta = Schema['Meta'] & { clock: Clock };
export type Session = Schema['Session'];

export interface Channel {
  tag: string; what: string; unit: string; field: string; factor: number; shift: number; resolution: number;
  low: number; high: number; normal_low: number; normal_high: number; class: string | number; subsystem: string; user?: boolean;
}
export type Unregistered = Schema['Unregistered'];

export interface SubsystemHealth { name: string; health: number | null; confidence: number }
export type Reason = Schema['Reason'];
export type TimeLeft = Schema['TimeLeft']; // hours
export interface AlarmTally { p1: number; p2: number; p3: number; unacked: number }

export interface Drill {
  id: string; field: string; contractor: string; state: string; state_since: string | null;
  depth: number | null; hole_depth: number | null; health: number | null; confidence: number;
  health_change_per_day: number | null; health_7d: (number | null)[]; subsystems: SubsystemHealth[]; reasons: Reason[];
  time_left: TimeLeft | null; alarms: AlarmTally; top_alarm: Alarm | null; last_ts: string | null; score_tick: string | null; age_s: number | null;
  simulated: boolean; results?: Result[]; bit_diameter_m?: number;
}
export interface Result { model: string; version: number | string; shadow: boolean; outputs: Record<string, number | string | null>; error: string | null; sha256?: string }

export type AlarmStatus = Schema['Alarm']['status'];
export type Alarm = Schema['Alarm'] & { raised: string }; // raised is never unknown
export type Measured = Schema['Measured'];
export type Contribution = Schema['Contribution'];
export type Evidence = Schema['Evidence'];
export type Happening = Schema['Happening'];
export type AlarmDetail = Schema['AlarmDetail'] & { raised: string };
export type SimilarAlarms = Schema['SimilarAlarms'];
export type AlarmList = Omit<Schema['AlarmList'], 'alarms'> & { alarms: Alarm[] };
export type Performance = Schema['Performance'];

export interface ModelInput { name: string; unit: string; known: boolean; seen?: [number, number] | null }
export interface ModelOutput { name: string; unit?: string; [more: string]: unknown }
export type ModelVersion = Schema['ModelVersion'];
export type Check = Schema['Check'];
export interface Model {
  name: string; version: number; active_version: number | null; kind: string; function: string; author: string; uploaded: string;
  sha256: string; size: number; inputs: ModelInput[]; outputs: (ModelOutput | string)[]; shadow: boolean; drills: string[] | number | null;
  status: string; rows_per_s: number | null; errors: number; mean_us: number | null;
  versions: ModelVersion[]; checks: Check[]; trouble?: Schema['Trouble']; refused?: string; canary_version?: number | null; canary_drills?: string[];
}
export type GateReport = Schema['Report'];
export interface Trajectory { stations: Schema['Station'][]; dogleg_limit: number; worst: number | null }
export type Waveform = Schema['Waveform'] & { at: string }; // it began at some time
export type Spectrum = Schema['Spectrum'];
export type DefectLine = Schema['DefectLine'];
export type Rules = Omit<Schema['Rules'], 'rules'> & { rules: { version: number; rules: unknown[] } };
export type RuleVersion = Schema['RuleVersion'];
export type RuleTrial = Schema['RuleTrial'];
export type RuleReport = Schema['RuleReport'];
export type ModelReport = Schema['ModelReport'];

export interface Gap { stage: string; from: number | string; to: number | string; count: number | null; why: string; pending?: boolean }
export interface LedgerRow {
  drill: string; device: string; boot: string; first: number | null; last: number | null; sent: number | null;
  accepted: number | null; stored: number | null; scored: number | null; readable: number | null; gaps: Gap[] | null;
}
export interface Ledger { rows: LedgerRow[]; totals: Record<string, number | null> }
export type Quarantined = Schema['Quarantined'];
export type Device = Schema['DeviceSession'];
export type Outcome = Schema['Outcome'];
export type NameOf = Schema['Name'];
export type Person = Schema['Person'];
export type Invited = Schema['Invited'];
export type SignedIn = Schema['SignedIn'];
export type Token = Schema['APIToken'];
export type AuditEntry = Schema['AuditEntry'];
export type DeviceAdded = Schema['DeviceAdded'];
export interface Gateway { gateway: string; age_s: number; connected: number | null; spool?: { bytes: number; limit: number; full: boolean; error: string }; counters?: { unpublished?: number } }

export interface Series {
  channel: string; unit: string; t: number[]; min: (number | null)[]; max: (number | null)[]; last?: (number | null)[];
  gaps: [number, number][] | null; resolution: string;
}
export interface SeriesAnswer { drill: string; from: string; to: string; clock: string; series: Series[] }

// RFC 9457: every problem at once.
export interface Problem { type?: string; title: string; status: number; detail?: string; errors?: { location?: string; message: string; value?: unknown }[] | null }

// ---- live channel, text messages
export interface FleetChange {
  id: string; state?: string; state_since?: string | null; health?: number | null; confidence?: number; change?: number | null;
  subsystems?: SubsystemHealth[]; reason?: string | { subsystem?: string; text?: string } | null; time_left?: TimeLeft | null;
  depth?: number | null; last_ts?: string | null; score_tick?: string | null; top_alarm?: Alarm | null; unacked?: number; field?: string; contractor?: string;
}
export interface Counts { type: 'counts'; p1: number; p2: number; p3: number; age_s: number | null; readings_per_s: number; drills_reporting: number; drills: number; clock?: Clock }
export interface ScoreMessage {
  type: 'score'; drill: string; state?: string; state_since?: string | null; health?: number | null; confidence?: number;
  subsystems?: SubsystemHealth[]; reasons?: Reason[]; results?: Result[]; time_left?: TimeLeft | null; tick?: string | number; pos?: unknown;
}
export type LiveMessage =
  | { type: 'hello'; clock: Clock; version: string }
  | { type: 'fleet'; full: boolean; at: number; drills: FleetChange[] }
  | ScoreMessage
  | { type: 'alarm'; alarm: Alarm }
  | Counts
  | { type: 'models'; name: string }
  | { type: 'annotations'; name: string }
  | { type: 'pong' };

export type Annotation = Schema['Annotation'];
export type Part = Schema['Part'];
export type PartRun = Schema['PartRun'];
export type Imported = Schema['Imported'];
export type NotifySettings = Schema['NotifySettings'];
export type Delivery = Schema['Delivery'];
export type EquipmentOf = operations['get-equipment']['responses'][200]['content']['application/json'];
export type Kinds = operations['list-kinds']['responses'][200]['content']['application/json'];
export type ExportJob = Schema['Job'];
export type ExportRequest = Schema['Request'];
