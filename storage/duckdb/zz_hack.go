package duckdb

import (
	"fmt"
	"io"
)

func (s *Store) HackMemory(w io.Writer) {
	for _, q := range []string{"SELECT tag, memory_usage_bytes/1e6 a, temporary_storage_bytes/1e6 b FROM duckdb_memory() WHERE memory_usage_bytes>0", "SELECT table_name, estimated_size, column_count FROM duckdb_tables() ORDER BY estimated_size DESC LIMIT 15", "SELECT count(*), sum(column_count), 0 FROM duckdb_tables()"} {
		rows, err := s.db.Query(q)
		if err != nil {
			fmt.Fprintln(w, err)
			continue
		}
		for rows.Next() {
			var a, b, c any
			rows.Scan(&a, &b, &c)
			fmt.Fprintln(w, a, b, c)
		}
		rows.Close()
	}
}
