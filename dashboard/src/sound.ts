import type { Alarm } from './types';

// Sound is for ◆ alone, and only where somebody asked for it: two tones as one comes, and again while nobody has answered.

export const AGAIN = 20000; // ms

/** A Chime knows what was heard: due says whether it is time to sound. */
export class Chime {
  #heard = new Set<string>();
  #last = -Infinity;

  /** due looks at the alarms that stand at `now`, ms. The ones that stood when the page opened are news as well. */
  due(alarms: Alarm[], now: number): boolean {
    const open = alarms.filter((a) => a.priority === 1 && a.status === 'unack');
    const fresh = open.some((a) => !this.#heard.has(a.id));
    this.#heard = new Set(open.map((a) => a.id)); // what was answered and comes back is news again
    if (!open.length || (!fresh && now - this.#last < AGAIN)) return false;
    this.#last = now;
    return true;
  }
}

let context: AudioContext | null = null;

/** sound plays the two tones; a browser lets it once somebody has touched the page. */
export function sound(): void {
  context ??= new AudioContext();
  void context.resume();
  [880, 660].forEach((hz, i) => {
    const tone = context!.createOscillator(), gain = context!.createGain(), at = context!.currentTime + i * 0.28;
    tone.frequency.value = hz;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
    gain.gain.linearRampToValueAtTime(0, at + 0.24);
    tone.connect(gain).connect(context!.destination);
    tone.start(at);
    tone.stop(at + 0.26);
  });
}
