package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// A segment file is records one after the other, nothing else:
//
//	 0        4        8        12   13   14       16          24          32
//	+--------+--------+--------+----+----+--------+-----------+-----------+---------…
//	| magic  | CRC32C | length |kind|lane| zero   | index     | time      | payload
//	+--------+--------+--------+----+----+--------+-----------+-----------+---------…
//
// Little endian. The CRC (Castagnoli) covers everything from length on. The
// index counts the records of the spool, across segments and restarts; where a
// batch had to be written again it is repeated, the first copy counting. The
// time is the writer's, Unix ns. Files are named by a running number,
// 0000000000000001.seg; the writer never appends to a file of an earlier run.
//
// A reader that meets bytes which are no record looks for the next magic that
// begins one and goes on there: only what lies between is lost, and named. At
// the end of a file a record cut short, or zeros, is what an interrupted write
// leaves: it was never acknowledged.
const (
	headerSize = 32
	magic      = 0x5d1c0de7
)

// MaxRecord bounds one record's payload, bytes.
const MaxRecord = 4 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Record is one entry of the spool.
type Record struct {
	Index   uint64 // given by the spool
	Kind    byte
	Lane    byte
	Time    int64 // Unix ns
	Payload []byte
}

// appendRecord appends r to b, whose payload is given in two parts.
func appendRecord(b []byte, r *Record, head string) []byte {
	at := len(b)
	n := len(head) + len(r.Payload)
	b = binary.LittleEndian.AppendUint32(b, magic)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, r.Kind, r.Lane, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, r.Index)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Time))
	b = append(b, head...)
	b = append(b, r.Payload...)
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+8:], castagnoli))
	return b
}

// What parse found.
type verdict byte

const (
	whole verdict = iota
	short         // more bytes would be needed
	wrong         // no record begins here
)

// parse reads the record at the start of b. The payload lies in b.
func parse(b []byte, r *Record) (size int, v verdict) {
	if len(b) < 4 {
		return 0, short
	}
	if binary.LittleEndian.Uint32(b) != magic {
		return 0, wrong
	}
	if len(b) < headerSize {
		return 0, short
	}
	n := int(binary.LittleEndian.Uint32(b[8:]))
	if n > MaxRecord || b[14] != 0 || b[15] != 0 {
		return 0, wrong
	}
	size = headerSize + n
	if len(b) < size {
		return size, short
	}
	if crc32.Checksum(b[8:size], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, wrong
	}
	*r = Record{
		Index: binary.LittleEndian.Uint64(b[16:]), Kind: b[12], Lane: b[13],
		Time: int64(binary.LittleEndian.Uint64(b[24:])), Payload: b[headerSize:size:size],
	}
	return size, whole
}
