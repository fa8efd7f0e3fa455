"""Puts the runners' lines side by side: report.py OURS JPMML PEERS, files of their lines."""

import sys

ours, jpmml, peers = ([line.split() for line in open(path) if line.strip()] for path in sys.argv[1:4])
reference = {name: (float(r), float(load)) for name, r, load in jpmml}
native = {}
for name, library, r in peers:
    native.setdefault(name, []).append((float(r), library))
print("| model | rows/s | JPMML | × JPMML | best native library | × native | one row a call | allocs/run | load s | JPMML's load s |")
print("|---|---|---|---|---|---|---|---|---|---|")
for name, r, load, allocs, single in ours:
    r, (j, jload), (best, library) = float(r), reference[name], max(native[name])
    print(f"| {name} | {r:,.0f} | {j:,.0f} | {r / j:.1f} | {library} {best:,.0f} | {r / best:.2f} | {float(single):,.0f} | {allocs} | {load} | {jload:.3f} |")
print()
for name in native:
    print(f"{name}: " + ", ".join(f"{library} {r:,.0f}" for r, library in sorted(native[name], reverse=True)))
