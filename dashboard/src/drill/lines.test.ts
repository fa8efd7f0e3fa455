import { expect, test } from 'vitest';
import { families, merged, nearest, says, spots, spotWords, steps } from './lines';
import type { DefectLine } from '../types';

const line = (name: DefectLine['name'], order: number, height: number | null = 3): DefectLine => ({ name, what: name, part: name === 'shaft' ? '' : 'top_drive/bearing:B1', order, hz: order * 20, amplitude: 0.1, height });
const six = [line('shaft', 1), line('bpfo', 3.06, 35), line('bpfi', 4.94), line('bsf', 2), line('ftf', 0.38), line('mesh', 21)];

test('defects come first and the shaft last, and what has no frequency is left out', () => {
  expect(families([...six, { ...line('bpfo', 0), hz: null }]).map((f) => `${f.key} ${f.name}`)).toEqual(['1 bpfo', '2 bpfi', '3 bsf', '4 ftf', '5 mesh', '6 shaft']);
});

test('a line has harmonics as far as the axis goes, and a mesh has the shaft beside it', () => {
  const [bpfo, bpfi, , , mesh] = families(six);
  expect(spots(bpfo, 20, 200).map((s) => Math.round(s.hz))).toEqual([61, 122, 184]);
  expect(spots(mesh, 20, 500).map((s) => Math.round(s.hz)).sort((a, b) => a - b)).toEqual([380, 400, 420, 440, 460]);
  expect(spots(mesh, 0, 500).length).toBe(1);
  expect(spots(bpfi, 20, 100).map((s) => s.side)).toEqual([0, -1, -2]);
});

test('the nearest place has a name, and there is none where nothing of a part lies', () => {
  const all = families(six).flatMap((f) => spots(f, 20, 1000)), at = (hz: number, reach = 2) => { const s = nearest(all, hz, reach); return s && spotWords(s); };
  expect(at(61.1)).toBe('outer race');
  expect(at(122.6)).toBe('outer race × 2');
  expect(at(440.3)).toBe('mesh + the shaft');
  expect(at(20.4)).toBe('shaft');
  expect(at(40.1)).toBe('roller'); // before the shaft's second, which is as near
  expect(at(333)).toBeNull();
});

test('what lies on another line is said to be not told apart', () => {
  expect(merged(families(six), 0.78).map(([a, b, n]) => `${a.name} ${n} ${b.name}`)).toEqual(['bsf 2 shaft']);
});

test('the sentence names what stands out, beside when it was new', () => {
  const then = families(six.map((l) => ({ ...l, height: 3 })));
  expect(says(families(six), then)).toBe('Outer race stands 35 times over the noise, 3.0 before.');
  expect(says(families(six), [])).toBe('Outer race stands 35 times over the noise.');
  expect(says(then, then)).toBe('No defect line stands out of the noise.');
  expect(says(families([line('shaft', 1, 40)]), [])).toBe('');
  expect(says(families(six), families(six))).toBe('Outer race stands 35 times over the noise, as before (35).');
});

test('an axis has round steps', () => {
  expect(steps(500, 8)).toEqual([0, 100, 200, 300, 400, 500]);
  expect(steps(0.36, 3)).toEqual([0, 0.2]);
  expect(steps(0, 3)).toEqual([]);
});
