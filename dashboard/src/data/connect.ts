import type { Meta } from '../types';

/** Ways to the same tables from elsewhere, with the address that this server listens on. Words in them are names of programs' own settings. */
export interface Way { key: string; name: string; lines: string }

/** hostOf is where to connect: what it listens on, or the page's own host where that is every address, or is not known. */
export function hostOf(at: Meta['sql'], page: string): string {
  const host = at?.host || page;
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
export const onlyHere = (at: Meta['sql']): boolean => !!at && /^(?:127\.|::1$|localhost$)/.test(at.host);

/** ways are to be pasted as they are, NAME and TOKEN or the environment's apart. file: a Parquet file made here, its id. */
export function ways(at: Meta['sql'], page: { hostname: string; origin: string }, file: string): Way[] {
  const host = hostOf(at, page.hostname), port = at?.port ?? 5433, ssl = at?.tls ? 'require' : 'disable', bare = host.replace(/^\[|\]$/g, '');
  return [
    { key: 'psql', name: 'psql', lines: `psql "postgres://NAME:TOKEN@${host}:${port}/mudpulse?sslmode=${ssl}"` },
    { key: 'python', name: 'psycopg', lines: `import psycopg  # pip install "psycopg[binary]"

with psycopg.connect(host="${bare}", port=${port}, dbname="mudpulse", user="NAME", password="TOKEN", sslmode="${ssl}") as db:
    for row in db.execute("SELECT tag, unit FROM channels ORDER BY tag"):
        print(row)` },
    { key: 'notebook', name: 'Notebook', lines: `# pip install pandas matplotlib "psycopg[binary]"
import datetime, getpass, os
import pandas as pd, psycopg

name = os.environ.get("MUDPULSE_NAME") or input("Name of the token: ")
token = os.environ.get("MUDPULSE_TOKEN") or getpass.getpass("Token: ")
with psycopg.connect(host="${bare}", port=${port}, dbname="mudpulse", user=name, password=token, sslmode="${ssl}") as db:
    newest, = db.execute("SELECT max(last) FROM drills").fetchone()
    cur = db.execute("SELECT drill, tick, health FROM health WHERE tick > %s ORDER BY tick", [newest - datetime.timedelta(hours=1)])
    health = pd.DataFrame(cur.fetchall(), columns=[c.name for c in cur.description])
table = health.pivot_table(index="tick", columns="drill", values="health")
table.plot(figsize=(12, 5), ylabel="health", ylim=(0, 100))
table.describe().T` },
    { key: 'duckdb', name: 'DuckDB', lines: `curl -fsS -H "Authorization: Bearer TOKEN" -o table.parquet ${page.origin}/api/v1/exports/${file || 'ID'}/file
duckdb -c "SUMMARIZE FROM 'table.parquet'"` },
    { key: 'grafana', name: 'Grafana', lines: `apiVersion: 1
datasources:
  - name: mudpulse
    type: postgres
    url: ${host}:${port}
    user: NAME
    secureJsonData: { password: TOKEN }
    jsonData: { database: mudpulse, sslmode: ${ssl}, postgresVersion: 1500 }` },
  ];
}
