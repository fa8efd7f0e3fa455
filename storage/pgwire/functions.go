package pgwire

// functions that a statement may call. Operators are functions too. None of
// them reaches files, settings, sequences or other sessions.
const functions = `
+ - * / // % ** ^ | & ~ << >> || ! !__postfix @ ^@ && @> <@ ~~ !~~ ~~* !~~* ~~~ -> ->>
abs acos asin atan atan2 cbrt ceil ceiling cos cot degrees div even exp factorial floor fmod gamma gcd greatest isfinite isinf isnan lcm least lgamma ln log log10 log2
mod multiply nextafter pi pow power radians round round_even sign signbit sin sinh cosh tanh sqrt subtract add divide tan trunc xor random setseed bit_count
ascii bar bit_length chr concat concat_ws contains ends_with suffix prefix format instr lcase left length len lower lpad ltrim md5 ord position printf regexp_extract regexp_extract_all
regexp_full_match regexp_matches regexp_replace regexp_split_to_array regexp_escape repeat replace reverse right rpad rtrim sha256 split split_part starts_with string_split str_split
string_to_array strip_accents strlen strpos substr substring to_base translate trim ucase unicode upper like_escape not_like_escape ilike_escape not_ilike_escape hex to_hex encode decode quote_ident initcap
age century current_date current_time current_timestamp current_localtime current_localtimestamp date_add date_diff datediff date_part datepart date_sub datesub date_trunc datetrunc day dayname dayofmonth dayofweek dayofyear
decade epoch epoch_ms epoch_ns epoch_us era extract get_current_timestamp hour isodow isoyear julian last_day localtime localtimestamp make_date make_time make_timestamp make_timestamptz
microsecond millennium millisecond minute month monthname now quarter second strftime strptime try_strptime time_bucket timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours
to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years to_char to_date today transaction_timestamp week weekday weekofyear year yearweek
any_value arbitrary approx_count_distinct approx_quantile arg_max arg_min arg_max_null arg_min_null max_by min_by argmax argmin array_agg avg mean bit_and bit_or bit_xor bool_and bool_or corr count count_star count_if countif covar_pop covar_samp entropy
favg first fsum geomean geometric_mean group_concat histogram kahan_sum kurtosis kurtosis_pop last list mad max median min mode product quantile quantile_cont quantile_disc percentile_cont percentile_disc
regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance grouping grouping_id
cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number
coalesce ifnull nullif if typeof error constant_or_null
list_value list_pack list_extract list_element array_extract list_slice array_slice array_length list_contains list_has list_position list_indexof list_distinct list_unique list_sort list_reverse_sort list_reverse
list_aggregate list_aggr list_sum list_avg list_min list_max list_count list_median list_any_value list_first list_last list_transform list_apply list_filter list_reduce list_zip list_concat list_append list_prepend list_cat flatten unnest
range generate_series generate_subscripts struct_pack struct_extract struct_extract_at row map map_extract map_keys map_values map_entries element_at cardinality array_value array_to_string
json_extract json_extract_string json_extract_path json_extract_path_text json_array_length json_keys json_type json_valid json_contains json_exists json_value json to_json from_json json_array json_object json_group_array json_group_object array_contains array_position
version current_schema current_schemas current_database current_catalog current_user user session_user pg_typeof format_type obj_description col_description shobj_description pg_get_constraintdef pg_get_expr pg_get_viewdef
has_table_privilege has_schema_privilege has_any_column_privilege pg_size_pretty inet_server_addr txid_current pg_backend_pid
`
