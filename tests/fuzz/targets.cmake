# The only list of targets: name, then the library under test. tests/fuzz/targets/<name>.cpp has its code and
# tests/fuzz/corpus/<name>/ its inputs.
set(ZEDOPS_FUZZ_TARGETS
  bus_frames:zedops_bus
  engine_json:zedops_docker
  engine_streams:zedops_docker
  http:zedops_http
  json:zedops_messages
  msgpack:zedops_messages
  names:zedops_config
  rcon:zedops_rcon
  settings:zedops_config
  store_records:zedops_persistence
  template_file:zedops_config
)
