"""Writes cases of the corpus: small documents, one for each choice that the
schema gives, with rows that are ordinary, missing, invalid and outlying.
Python's standard library alone: python3 clustering.py"""
import json
import os

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus")


def element(tag, /, *kids, **attributes):
    """An element; p__parameter stands for p-parameter, class_ for class."""
    a = "".join(f' {k.rstrip("_").replace("__", "-")}="{v}"' for k, v in attributes.items() if v is not None)
    return f"<{tag}{a}>{''.join(kids)}</{tag}>" if kids else f"<{tag}{a}/>"


def data(name, optype="continuous", dataType="double", values=(), *more):
    return element("DataField", *more, *[element("Value", value=v) for v in values], name=name, optype=optype, dataType=dataType)


def schema(*fields):
    return element("MiningSchema", *[element("MiningField", **({"name": f} if isinstance(f, str) else f)) for f in fields])


def output(*fields):
    return element("Output", *[f if isinstance(f, str) else element("OutputField", **f) for f in fields])


def number(name, feature, **more):
    return dict(name=name, optype="continuous", dataType="double", feature=feature, **more)


def text(name, feature, **more):
    return dict(name=name, optype="categorical", dataType="string", feature=feature, **more)


def array(values, type="real"):
    return element("Array", " ".join(map(str, values)), n=len(values), type=type)


def derived(name, expression, optype="continuous", dataType="double"):
    return element("DerivedField", expression, name=name, optype=optype, dataType=dataType)


def document(fields, model, version="4.4"):
    body = element("Header") + element("DataDictionary", *fields) + model
    xml = f'<PMML xmlns="http://www.dmg.org/PMML-{version.replace(".", "_")}" version="{version}">{body}</PMML>'
    return '<?xml version="1.0"?>\n' + xml.replace("><", ">\n<") + "\n"


def case(kind, name, document, rows, notes=None):
    """notes: [(why, {line: answer}), …]"""
    base = os.path.join(CORPUS, kind, name)
    os.makedirs(os.path.dirname(base), exist_ok=True)
    with open(base + ".pmml", "w") as f:
        f.write(document)
    with open(base + ".rows.jsonl", "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    if notes:
        with open(base + ".notes.json", "w") as f:
            json.dump([{"why": w, "rows": {str(k): v for k, v in r.items()}} for w, r in notes], f, indent=1)
            f.write("\n")
    elif os.path.exists(base + ".notes.json"):
        os.remove(base + ".notes.json")
