package storagetest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

func renderValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Invalid:
		return "nil"
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return renderValue(v.Elem())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Slice, reflect.Array:
		var out []string
		for i := range v.Len() {
			out = append(out, renderValue(v.Index(i)))
		}
		return "[" + strings.Join(out, " ") + "]"
	case reflect.Map:
		var out []string
		for _, k := range v.MapKeys() {
			out = append(out, renderValue(k)+":"+renderValue(v.MapIndex(k)))
		}
		slices.Sort(out)
		return "{" + strings.Join(out, " ") + "}"
	case reflect.Struct:
		var out []string
		for i := range v.NumField() {
			if f := v.Field(i); v.Type().Field(i).IsExported() && !f.IsZero() {
				out = append(out, v.Type().Field(i).Name+":"+renderValue(f))
			}
		}
		return "{" + strings.Join(out, " ") + "}"
	}
	return fmt.Sprint(v.Interface())
}
