/* The flags of moonx-client, in the order and the groups of --help: arguments.c makes its parser and its help of them.
 *
 * GROUP(title)
 * FLAG(name, values, take, help)   values: what follows it, "" when nothing does; take: who stores them */
GROUP("Where to, and as whom")
FLAG("--url", "URL", take_url,
     "ws://HOST[:PORT][/PATH] or wss://; MOONX_URL; default ws://127.0.0.1:3008/ws")
FLAG("--token", "TOKEN", take_token,
     "the JWT; better in MOONX_TOKEN: others can see your command line")
FLAG("--token-file", "FILE", take_token_file,
     "reads it from a file, again when the server wants a new one")
FLAG("--ca", "FILE", take_ca,
     "for wss: believes the authorities in this PEM file, not the system's")
FLAG("--insecure", "", take_insecure,
     "for wss: believes any certificate; the token goes to whoever answers")
FLAG("--reconnect", "", take_reconnect,
     "comes back after a lost connection and resumes where it was; on a terminal the default, "
     "unless something below "
     "ends the run; with the flag also while there is no gateway yet")
FLAG("--no-reconnect", "", take_no_reconnect, "ends instead")

GROUP("What to say")
FLAG("--subscribe", "CHANNEL", take_subscribe, "subscribes to a channel; may be repeated")
FLAG("--publish", "ROOM EVENT JSON", take_publish,
     "publishes an event to a room; JSON is an object; may be repeated")
FLAG("--send", "MESSAGE", take_send,
     "any message, as JSON with a \"type\", as TYPE or as 'TYPE {DATA}'; may be repeated")
FLAG("--stdin", "", take_stdin,
     "sends each line of standard input likewise; on a terminal it always does. At the end of the "
     "input it waits for "
     "the answers and closes")

GROUP("What to show")
FLAG("--json", "", take_json, "JSON as it came, on a terminal, too")
FLAG("--quiet", "", take_quiet, "errors only")
FLAG("--summary", "", take_summary, "events, rate and latency at the end; on a terminal always")

GROUP("When to end")
FLAG("--count", "N", take_count, "after N events from Kafka: exit status 0")
FLAG("--expect", "TYPE[:FIELD=VALUE,...]", take_expect,
     "when such a message has come: 0; else 1, and a line says what did not come. May be repeated: "
     "all of them must come, "
     "in any order. FIELD is a member of the data, or of the message (a.b: inside of a); of a "
     "list, one element is enough")
FLAG("--once", "", take_once,
     "when all that was sent is answered: 0, or 1 when an answer is an error")
FLAG("--timeout", "S", take_timeout, "after S seconds: 1; with --expect or --once 10 unless given")

GROUP("Help")
FLAG("--help", "", take_help, "this text")
FLAG("--version", "", take_version, "the version")
