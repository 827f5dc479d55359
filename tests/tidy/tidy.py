#!/usr/bin/env python3
"""Project rules that no compiler checks. Prints one line per violation; exit 1 when there is any.

    tidy.py ROOT [--compiler CXX] [--coverage]     --coverage lists which statements of the acceptance list tests name
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

SOURCE_DIRS = ["messages", "actors", "bus", "persistence", "config", "integration", "tools", "tests"]
LINES_MAX = 450
LIGHT_HEADER_SECONDS_MAX = 20

# Which folders may include which. A folder may always include itself; tools and tests may include anything.
MAY_INCLUDE = {
    "messages": [],
    "actors/core": ["messages"],
    "actors/runtime": ["messages", "actors/core", "config"],  # config: every actor logs through its defaults
    "actors/manager": ["messages", "actors/core", "actors/runtime", "bus", "persistence", "integration", "config"],
    "actors/agent": ["messages", "actors/core", "actors/runtime", "bus", "persistence", "integration", "config"],
    "bus": ["messages"],
    "persistence": ["messages"],
    "config": ["messages"],
    "integration": ["messages"],
}

# Third-party headers and where they may be included: (pattern of the header, allowed places).
THIRD_PARTY = [
    (r"zmq\.h(pp)?|zmq_addon\.hpp", [r"bus/.*\.cpp", r"bus/detail/.*", r"tools/loadgen/.*\.cpp", r"tests/.*"]),
    (r"lmdb\.h", [r"persistence/.*\.cpp", r"persistence/detail/.*", r"tests/.*"]),
    (r"caf/.*", [r"actors/(runtime|manager|agent)/.*", r"tests/.*", r"tools/.*"]),
    (r"nlohmann/.*", [r"(messages|config|bus|persistence)/.*\.cpp", r"integration/.*\.cpp",
                      r"integration/.*(_impl|/detail/|json_read).*", r"tests/.*", r"tools/.*"]),
    (r"msgpack\.hpp|msgpack/.*", [r"(messages|bus|persistence)/.*\.cpp", r"tests/.*", r"tools/.*"]),
    (r"boost/.*", [r"integration/.*\.cpp", r"integration/.*(_impl|/detail/).*", r"tests/.*", r"tools/.*"]),
    (r"toml(\+\+|plusplus)/.*|toml\.hpp", [r"config/.*\.cpp", r"config/detail/.*", r"tools/.*\.cpp", r"tests/.*"]),
    (r"CLI/.*", [r"config/.*\.cpp", r"tools/.*", r"tests/.*"]),
    (r"sodium\.h", [r"(messages|bus|persistence)/.*\.cpp", r"tests/.*", r"tools/.*"]),
    (r"catch2/.*", [r"tests/support/.*"]),
    (r"rapidcheck/.*", []),  # rapidcheck.h is enough; its Catch glue does not know Catch2 v3
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def files(root, dirs=SOURCE_DIRS, suffixes=(".hpp", ".cpp", ".py", ".cmake", ".txt", ".toml", ".md", ".sh")):
    for top in dirs:
        for folder, names, found in os.walk(os.path.join(root, top)):
            names[:] = [n for n in names if n not in ("__pycache__", ".git", "build", "node_modules", "dist")]
            for name in sorted(found):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(folder, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def part_of(path):
    """The folder of the rule that a path falls under."""
    for part in sorted(MAY_INCLUDE, key=len, reverse=True):
        if path.startswith(part + "/"):
            return part
    return None


def check_includes(path, text):
    part = part_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        m = INCLUDE.match(line)
        if not m:
            continue
        header = m.group(2)
        where = f"{path}:{number}"
        if header.startswith("../") or header.startswith("./"):
            yield f"{where}: includes are from the project root, not {header}"
        target = part_of(header)
        if part and target and target != part and target not in MAY_INCLUDE[part]:
            yield f"{where}: {part} may not include {target} ({header})"
        if part and header.startswith(("tools/", "tests/")):
            yield f"{where}: {part} may not include {header}"
        if "/detail/" in header and os.path.commonprefix([path, header]).find("/") < 0 and not path.startswith("tests/"):
            yield f"{where}: {header} is private to its folder"
        for pattern, places in THIRD_PARTY:
            if re.fullmatch(pattern, header) and not any(re.fullmatch(p, path) for p in places):
                yield f"{where}: <{header}> does not belong here"


def check_text(path, text):
    lines = text.count("\n")
    if path.endswith((".hpp", ".cpp", ".py")) and lines > LINES_MAX:
        yield f"{path}: {lines} lines, more than {LINES_MAX}: split it"
    if path.endswith(".hpp") and "#pragma once" not in text:
        yield f"{path}: #pragma once is missing"
    # CMake of Debian 12 cuts a test's name at a semicolon: neither half names a test, and nothing is run.
    for name in [] if not path.endswith(".cpp") else re.findall(r'TEST_CASE(?:_METHOD)?\((?:\s*\w+,)?\s*"((?:[^"\\]|\\.)*)"', text):
        if ";" in name:
            yield f"{path}: the name of a test has a semicolon: {name[:60]}"
    unfinished = re.compile(r"\b(TO" + "DO|FIX" + "ME|X" + "XX)\\b")
    homes = "" if path.startswith("tests/") else "|home|root|Users"  # tests may set a home
    machine = re.compile(r"(?<![\w.}])/(work" + homes + r")/(?!steam\b)[\w.-]")
    for number, line in enumerate(text.splitlines(), 1):
        if unfinished.search(line):
            yield f"{path}:{number}: unfinished work: {line.strip()[:60]}"
        if machine.search(line) and not path.startswith("tests/tidy/"):
            yield f"{path}:{number}: a path of one machine: {line.strip()[:60]}"


def check_operations(root):
    """Each operation: enum value, request struct in the variant, row, overload of decide, and the recipe."""
    server = read(root, "messages/records/server.hpp")
    requests = read(root, "messages/api/requests.hpp")
    table = read(root, "messages/api/operations.hpp")
    decide = read(root, "actors/core/server/decide_request.cpp")
    kinds = re.search(r"ZEDOPS_ENUM\(op_kind,([^)]*)\)", server).group(1).replace(" ", "").replace("\n", "").split(",")
    variant = re.search(r"using server_request\s*=\s*std::variant<([^>]*)>", requests).group(1)
    of_projects = read(root, "messages/api/deploy_requests.hpp")
    for kind in kinds:
        row = re.search(r'verb_row\{"(\w+)\.[^{}]*op_kind::' + kind + r"\b", table)
        if not row:
            yield f"messages/api/operations.hpp: operation {kind} has no row"
        if row and row.group(1) != "server":
            found = re.search(r"struct (\w+) \{(?:(?!^struct ).)*?kind = op_kind::" + kind + ";", of_projects, re.S | re.M)
            if not found:
                yield f"messages/api/deploy_requests.hpp: operation {kind} has no struct"
                continue
            struct = found.group(1)
        else:
            struct = kind + "_server"
            if not re.search(r"struct " + struct + r"\b", requests):
                yield f"messages/api/requests.hpp: operation {kind} has no struct {struct}"
            if not re.search(r"\b" + struct + r"\b", variant):
                yield f"messages/api/requests.hpp: {struct} is not in server_request"
            if not re.search(r"operator\(\)\(const " + struct + r"&", decide):
                yield f"actors/core/server/decide_request.cpp: no overload for {struct}"
        if f"X({struct})" not in read(root, "messages/wire/codec.hpp"):
            yield f"messages/wire/codec.hpp: {struct} has no codec"
    recipe = "docs/recipes/add-an-operation.md"
    if os.path.isdir(os.path.join(root, "docs/recipes")) and os.path.exists(os.path.join(root, recipe)):
        text = read(root, recipe)
        for step in ("messages/api/requests.hpp", "messages/api/operations.hpp", "messages/wire/codec.hpp",
                     "actors/core/server/decide_request.cpp"):
            if step not in text:
                yield f"{recipe}: does not speak of {step}"


def check_links(root):
    for path in list(files(root, ["docs"], (".md",))) + [p for p in ("README.md",) if os.path.exists(os.path.join(root, p))]:
        text = re.sub(r"```.*?```", "", read(root, path), flags=re.S)
        for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target) or target.startswith("#"):
                continue
            full = os.path.normpath(os.path.join(root, os.path.dirname(path), target.split("#")[0]))
            if not os.path.exists(full):
                yield f"{path}: the link to {target} leads nowhere"


def check_headers_alone(root, compiler):
    """Headers without third-party includes compile by themselves: one translation unit includes each twice, first."""
    light = [p for p in files(root, ["messages", "actors/core", "bus", "persistence", "config"], (".hpp",))
             if not re.search(r"#include <(?!tl/|fmt/)[\w+]+[/.]", read(root, p)) and "/detail/" not in p]
    with tempfile.TemporaryDirectory() as folder:
        for part in sorted({p.split("/")[0] for p in light}):
            source = os.path.join(folder, "alone.cpp")
            # In reverse order of name, so that no header depends on what an earlier one happened to include.
            with open(source, "w", encoding="utf-8") as f:
                f.writelines(f'#include "{p}"\n' * 2 for p in sorted(light, reverse=True) if p.startswith(part + "/"))
            run = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-I", root, source], capture_output=True,
                                 text=True, timeout=LIGHT_HEADER_SECONDS_MAX, check=False)
            if run.returncode:
                yield f"{part}: headers do not compile alone:\n{run.stderr[:2000]}"


def tags(root):
    found = {}
    for path in files(root, ["tests"], (".cpp", ".py")):
        for tag in re.findall(r"\[(acc-\d+|fc-\d+)\]", read(root, path)):
            found.setdefault(tag, set()).add(path)
    return found


def check_tags(root):
    limits = {"acc": 100, "fc": 64}
    for tag, where in sorted(tags(root).items()):
        kind, number = tag.split("-")
        if not 1 <= int(number) <= limits[kind]:
            yield f"{sorted(where)[0]}: there is no statement {tag}"


def coverage(root):
    named = tags(root)
    for kind, limit in (("acc", 100), ("fc", 64)):
        missing = [n for n in range(1, limit + 1) if f"{kind}-{n}" not in named]
        print(f"{kind}: {limit - len(missing)} of {limit} are named by a test; not named: "
              + ", ".join(str(n) for n in missing))


def breaches(root, compiler=None):
    for path in files(root):
        text = read(root, path)
        if path.endswith((".hpp", ".cpp")):
            yield from check_includes(path, text)
        yield from check_text(path, text)
    for path in files(root, ["docs"], (".md",)):
        yield from check_text(path, read(root, path))
    yield from check_operations(root)
    yield from check_links(root)
    yield from check_tags(root)
    if compiler:
        yield from check_headers_alone(root, compiler)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("root")
    args.add_argument("--compiler")
    args.add_argument("--coverage", action="store_true")
    args = args.parse_args()
    found = list(breaches(args.root, args.compiler))
    for line in found:
        print(line)
    if args.coverage or not found:
        coverage(args.root)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
