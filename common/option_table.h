/* The one table of options: what is here is parsed, shown by --help, and written into the manual.
 *
 * X(type, field, environment, aliases, flags, default, dev default, min, max, unit, group, reload, prose)
 *   type         int, bool, text, choice (one of the words in `unit`, separated by |), secret (text that
 *                has no flag: environment only), url (text that may hold a password, which as a flag it may not)
 *   environment  the variable; the flag is its name in lower case with `-` (WORKERS: --workers)
 *   aliases      other variables, separated by blanks, that count when the first is unset
 *   flags        shorter spellings of the flag, separated by blanks
 *   default      of an int may be "auto", which anyone may then write: the number of cores
 *   dev default  the default with --dev; NULL: the same
 *   min, max     for int: the range; for text and secret: the range of the length in bytes
 *   unit         of an int ("ms", "bytes", …), "" for none; a choice's words
 *   reload       who takes another value of CONFIG_FILE at SIGHUP: workers (in place), ingest (a new one is started),
 *                both; restart: nobody, the gateway has to be started anew. The supervisor follows by itself. Secrets
 *                are the workers', so that ingest never gets them from the file.
 */
#ifndef MOONX_COMMON_OPTION_TABLE_H
#define MOONX_COMMON_OPTION_TABLE_H

/* clang-format off */
#define OPTION_TABLE(X)                                                                                   \
    /* server */                                                                                          \
    X(int, websocket_service_port, "WEBSOCKET_SERVICE_PORT", "PORT", "--port", "3008", NULL,              \
      1, 65535, "", "server", restart, "TCP port for WebSocket and HTTP.")                                \
    X(text, websocket_service_host, "WEBSOCKET_SERVICE_HOST", "HOST", "--host", "0.0.0.0", "127.0.0.1",   \
      1, 64, "", "server", restart, "Numeric IPv4 or IPv6 address to listen on.")                         \
    X(int, workers, "WORKERS", "", "", "auto", NULL,                                                      \
      1, 64, "", "server", restart, "Worker processes; auto: one for each core.")                         \
    X(text, instance_id, "INSTANCE_ID", "", "", "", NULL,                                                 \
      0, 128, "", "server", restart, "Name of this host among the gateways; empty: the host name.")       \
    X(text, routes_file, "ROUTES_FILE", "", "--routes", "", NULL,                                         \
      0, 4096, "", "server", ingest, "Routing table, moonx-routes(5); empty: the built-in routes.")       \
    X(text, rooms_file, "ROOMS_FILE", "", "--rooms", "", NULL,                                            \
      0, 4096, "", "server", workers, "Who may join which room, moonx-rooms(5); empty: the built-in table.") \
    X(int, ring_bytes, "RING_BYTES", "", "", "268435456", "33554432",                                     \
      1048576, 68719476736, "bytes", "server", restart,                                                   \
      "Size of the ring in shared memory; rounded up to a power of two.")                                 \
    X(int, snapshot_bytes, "SNAPSHOT_BYTES", "", "", "0", NULL,                                           \
      0, 17179869184, "bytes", "server", restart,                                                         \
      "Shared memory for the newest values of conflated routes, 1 KiB a key of usual size; 0: an eighth of RING_BYTES.") \
    X(int, history_seconds, "HISTORY_SECONDS", "", "", "300", NULL,                                       \
      0, 604800, "s", "server", restart,                                                                  \
      "How far back the ring is refilled from Kafka at the first start, as far as it holds that (what clients publish 300 s further: it counts once); 0: not at all.") \
    X(int, position_epoch, "POSITION_EPOCH", "", "", "1", NULL,                                           \
      0, 1000000000000, "", "server", restart,                                                            \
      "Raised when topics were deleted and made anew: positions of another epoch are refused.")           \
    X(text, auto_join_rooms, "AUTO_JOIN_ROOMS", "", "",                                                   \
      "prices,trades,system_alerts,user:{userId},portfolio:{userId},orders:{userId},notifications:{userId}", \
      NULL, 0, 4096, "", "server", workers, "Rooms that a connection joins when it has authenticated.")   \
    X(int, drain_timeout, "DRAIN_TIMEOUT", "", "", "30000", "1000",                                       \
      0, 3600000, "ms", "server", workers, "Longest time that a planned stop takes to send clients away.") \
    X(text, worker_user, "WORKER_USER", "", "", "nobody", NULL,                                           \
      1, 64, "", "server", restart, "User that workers become when started as root.")                     \
    X(text, ingest_user, "INGEST_USER", "", "", "daemon", NULL,                                           \
      1, 64, "", "server", restart, "User that ingest becomes when started as root; not the workers' user.") \
    X(text, config_file, "CONFIG_FILE", "", "--config", "", NULL,                                         \
      0, 4096, "", "server", restart,                                                                     \
      "Options as NAME=value lines; flags and variables win. SIGHUP reads it again.")                     \
    X(choice, log_level, "LOG_LEVEL", "", "", "info", NULL,                                               \
      0, 0, "error|warn|info|debug", "server", both, "Least important log lines that are written.")       \
    X(choice, log_format, "LOG_FORMAT", "", "", "json", "text",                                           \
      0, 0, "json|text", "server", both, "Form of log lines.")                                            \
    X(choice, flush_backend, "FLUSH_BACKEND", "", "", "auto", NULL,                                       \
      0, 0, "auto|io_uring|sendmsg", "server", restart,                                                   \
      "How events are written to sockets; auto: io_uring where the kernel has it.")                       \
    X(text, dev_directory, "DEV_DIRECTORY", "", "", "build/dev", NULL,                                    \
      1, 4096, "", "server", restart, "Where --dev keeps its secret and writes its broker's address.")    \
    X(text, admin_allow, "ADMIN_ALLOW", "", "", "127.0.0.0/8,::1", NULL,                                  \
      0, 65536, "", "server", workers,                                                                    \
      "Addresses and networks that may see admin paths; separated by commas. From loopback only "          \
      "when Host is an address, localhost or the host's own name: else it may be a foreign page.")                            \
    X(text, admin_token_file, "ADMIN_TOKEN_FILE", "", "", "", NULL,                                       \
      0, 4096, "", "server", workers, "File that holds a bearer token for admin paths.")                  \
    X(text, admin_listen, "ADMIN_LISTEN", "", "", "", NULL,                                               \
      0, 64, "", "server", restart,                                                                          \
      "Address of their own for admin paths, HOST:PORT; the public port no longer has them.")             \
    /* authentication */                                                                                  \
    X(secret, jwt_secret, "JWT_SECRET", "", "", "", NULL,                                                 \
      0, 65536, "", "authentication", workers, "Shared secret of HS256, HS384 and HS512 tokens.")         \
    X(text, jwt_secret_file, "JWT_SECRET_FILE", "", "", "", NULL,                                         \
      0, 4096, "", "authentication", workers, "File that holds the shared secret.")                       \
    X(text, jwt_public_key_file, "JWT_PUBLIC_KEY_FILE", "", "", "", NULL,                                 \
      0, 4096, "", "authentication", workers, "PEM file with the public key that tokens are verified with.") \
    X(text, jwt_jwks_file, "JWT_JWKS_FILE", "", "", "", NULL,                                             \
      0, 4096, "", "authentication", workers, "JSON web key set; a token's `kid` says which key.")        \
    X(text, jwt_jwks_url, "JWT_JWKS_URL", "", "", "", NULL,                                               \
      0, 2048, "", "authentication", workers, "Where the issuer publishes its key set, http[s]://HOST[:PORT]/PATH[?QUERY].") \
    X(int, jwt_jwks_refresh, "JWT_JWKS_REFRESH", "", "", "600000", NULL,                                  \
      100, 86400000, "ms", "authentication", workers, "How often the published key set is fetched.")      \
    X(text, jwt_algorithms, "JWT_ALGORITHMS", "", "", "", NULL,                                           \
      0, 128, "", "authentication", workers,                                                              \
      "Signature algorithms accepted, separated by commas; empty: HS256 with a secret, and all that the keys are for.") \
    X(text, jwt_issuer, "JWT_ISSUER", "", "", "", NULL,                                                   \
      0, 1024, "", "authentication", workers, "Required `iss` claim; empty: not checked.")                \
    X(text, jwt_audience, "JWT_AUDIENCE", "", "", "", NULL,                                               \
      0, 1024, "", "authentication", workers, "Required `aud` claim; empty: not checked.")                \
    X(int, jwt_leeway_seconds, "JWT_LEEWAY_SECONDS", "", "", "30", NULL,                                  \
      0, 600, "s", "authentication", workers, "Clock difference allowed for `exp` and `nbf`.")            \
    X(int, auth_timeout, "AUTH_TIMEOUT", "", "", "10000", NULL,                                           \
      100, 600000, "ms", "authentication", workers, "Time for a new connection to authenticate.")         \
    X(text, auth_service_url, "AUTH_SERVICE_URL", "", "", "", NULL,                                       \
      0, 2048, "", "authentication", workers,                                                             \
      "Auth service that is asked about tokens no configured key verifies, http[s]://HOST[:PORT].")       \
    X(text, auth_service_verify_endpoint, "AUTH_SERVICE_VERIFY_ENDPOINT", "", "",                         \
      "/api/v1/auth/verify", NULL, 1, 1024, "", "authentication", workers,                                \
      "Its path: POST {\"token\"}, answered by {\"user\"} or 401.")                                       \
    X(text, auth_service_room_endpoint, "AUTH_SERVICE_ROOM_ENDPOINT", "", "",                             \
      "/api/v1/auth/room", NULL, 1, 1024, "", "authentication", workers,                                  \
      "Its path for the rule `ask` of the rooms table: POST {\"userId\",\"room\",\"action\"}.")           \
    X(int, auth_service_timeout, "AUTH_SERVICE_TIMEOUT", "", "", "5000", NULL,                            \
      10, 60000, "ms", "authentication", workers, "Time for its whole answer.")                           \
    X(text, http_client_ca_file, "HTTP_CLIENT_CA_FILE", "", "", "", NULL,                                 \
      0, 4096, "", "authentication", workers,                                                             \
      "PEM file of the authorities that https services are verified with; empty: the system's.")          \
    X(bool, ws_query_token, "WS_QUERY_TOKEN", "", "", "false", NULL,                                      \
      0, 0, "", "authentication", workers,                                                                \
      "Accept a token in the address (?token=); addresses end up in logs of proxies and browsers.")       \
    X(int, auth_refresh_lead, "AUTH_REFRESH_LEAD", "", "", "300000", NULL,                                \
      0, 3600000, "ms", "authentication", workers,                                                        \
      "How long before its token expires a client is asked for a new one; in whole seconds, 0: never.")   \
    X(int, revocation_seconds, "REVOCATION_SECONDS", "", "", "86400", NULL,                               \
      60, 315360000, "s", "authentication", ingest,                                                       \
      "How long a revocation that doesn't say holds: at least the longest life of a token.")              \
    X(int, revocation_max, "REVOCATION_MAX", "", "", "65536", NULL,                                       \
      1000, 8388608, "", "authentication", restart,                                                       \
      "Revocations in force at once; with more, tokens of other users are refused too.")                  \
    /* Kafka */                                                                                           \
    X(text, kafka_brokers, "KAFKA_BROKERS", "", "--kafka", "", NULL,                                      \
      0, 4096, "", "Kafka", ingest, "Bootstrap brokers, HOST:PORT separated by commas.")                  \
    X(text, kafka_client_id, "KAFKA_CLIENT_ID", "", "", "moonx-gateway", NULL,                            \
      1, 249, "", "Kafka", ingest, "Client id shown to the brokers.")                                     \
    X(text, kafka_consumer_group_id, "KAFKA_CONSUMER_GROUP_ID", "", "", "moonx-gateway", NULL,            \
      1, 249, "", "Kafka", ingest, "Group for lag tools; INSTANCE_ID is appended, nobody subscribes to it.") \
    X(text, kafka_topic_prices, "KAFKA_TOPIC_PRICES", "", "", "price.updates", NULL,                      \
      1, 249, "", "Kafka", ingest, "Topic of price_update events.")                                       \
    X(text, kafka_topic_orders, "KAFKA_TOPIC_ORDERS", "", "", "order.updates", NULL,                      \
      1, 249, "", "Kafka", ingest, "Topic of order_update events.")                                       \
    X(text, kafka_topic_portfolio, "KAFKA_TOPIC_PORTFOLIO", "", "", "portfolio.updates", NULL,            \
      1, 249, "", "Kafka", ingest, "Topic of portfolio_update events.")                                   \
    X(text, kafka_topic_trades, "KAFKA_TOPIC_TRADES", "", "", "trade.updates", NULL,                      \
      1, 249, "", "Kafka", ingest, "Topic of trade_update events.")                                       \
    X(text, kafka_topic_notifications, "KAFKA_TOPIC_NOTIFICATIONS", "", "", "notification.updates", NULL, \
      1, 249, "", "Kafka", ingest, "Topic of notification events.")                                       \
    X(text, kafka_topic_user_actions, "KAFKA_TOPIC_USER_ACTIONS", "", "", "user-action.updates", NULL,    \
      1, 249, "", "Kafka", ingest, "Topic of user_action events.")                                        \
    X(text, kafka_topic_system_alerts, "KAFKA_TOPIC_SYSTEM_ALERTS", "", "", "system.alerts", NULL,        \
      1, 249, "", "Kafka", ingest, "Topic of system_alert events.")                                       \
    X(text, kafka_topic_events, "KAFKA_TOPIC_EVENTS", "", "", "gateway.events", NULL,                     \
      1, 249, "", "Kafka", ingest, "Topic of events whose type and rooms stand in the message.")          \
    X(text, kafka_topic_control, "KAFKA_TOPIC_CONTROL", "", "", "gateway.control", NULL,                  \
      1, 249, "", "Kafka", ingest, "Topic of control messages; never sent to clients.")                   \
    X(text, dead_letter_topic, "DEAD_LETTER_TOPIC", "", "", "gateway.dead-letter", NULL,                  \
      0, 249, "", "Kafka", ingest, "Where values go that can't become an event; empty: they are only counted.") \
    X(int, kafka_consumer_fetch_max_bytes, "KAFKA_CONSUMER_FETCH_MAX_BYTES", "", "", "52428800", NULL,    \
      1024, 2147483135, "bytes", "Kafka", ingest, "Most bytes of one fetch answer.")                      \
    X(int, kafka_consumer_max_partition_fetch_bytes, "KAFKA_CONSUMER_MAX_PARTITION_FETCH_BYTES", "", "",  \
      "1048576", NULL, 1024, 1000000000, "bytes", "Kafka", ingest, "Most bytes of one partition in one fetch.") \
    X(text, kafka_config_file, "KAFKA_CONFIG_FILE", "", "", "", NULL,                                     \
      0, 4096, "", "Kafka", ingest, "Further librdkafka properties (TLS, SASL), one name=value a line. Keys and certificates that it names are read once.")  \
    /* connections */                                                                                     \
    X(int, ws_max_connections, "WS_MAX_CONNECTIONS", "MAX_CONNECTIONS", "", "1000000", NULL,              \
      1, 100000000, "", "connections", workers, "Most client connections on this host.")                  \
    X(int, ws_ping_interval, "WS_PING_INTERVAL", "WS_HEARTBEAT_INTERVAL", "", "30000", NULL,              \
      100, 3600000, "ms", "connections", workers, "Silence after which a client is pinged.")              \
    X(int, ws_pong_timeout, "WS_PONG_TIMEOUT", "", "", "5000", NULL,                                      \
      100, 600000, "ms", "connections", workers, "Time for any sign of life after a ping.")               \
    X(int, ws_slow_timeout, "WS_SLOW_TIMEOUT", "", "", "30000", NULL,                                     \
      100, 3600000, "ms", "connections", workers,                                                         \
      "Time for a full socket to take bytes again; then close 1013.")                                     \
    X(int, ws_max_message_bytes, "WS_MAX_MESSAGE_BYTES", "", "", "65536", NULL,                           \
      125, 16777216, "bytes", "connections", workers, "Longest message accepted from a client.")          \
    X(int, ws_max_queue_bytes, "WS_MAX_QUEUE_BYTES", "", "", "262144", NULL,                              \
      4096, 1073741824, "bytes", "connections", workers, "Most bytes that wait for one slow client; more it reads on from the ring.")     \
    X(int, worker_queue_bytes, "WORKER_QUEUE_BYTES", "", "", "268435456", NULL,                           \
      1048576, 1099511627776, "bytes", "connections", restart,                                            \
      "Most memory of one worker for what waits to be written; near it the worker does less, in stages.") \
    X(bool, ws_deflate, "WS_DEFLATE", "", "", "false", NULL,                                              \
      0, 0, "", "connections", restart, "permessage-deflate for clients that offer it; an event is deflated once.") \
    X(int, ws_max_subscriptions, "WS_MAX_SUBSCRIPTIONS", "", "", "100", NULL,                             \
      1, 10000, "", "connections", workers, "Most channels of one connection beside the automatic rooms.") \
    X(text, allowed_origins, "ALLOWED_ORIGINS", "", "", "", NULL,                                         \
      0, 65536, "", "connections", workers,                                                               \
      "Origins of web pages that may connect, separated by commas; empty or *: all.")                     \
    X(text, address_allow, "ADDRESS_ALLOW", "", "", "", NULL,                                             \
      0, 65536, "", "connections", workers,                                                               \
      "Addresses and networks that may open WebSockets, separated by commas; empty: all.")                \
    X(text, address_deny, "ADDRESS_DENY", "", "", "", NULL,                                               \
      0, 65536, "", "connections", workers,                                                               \
      "Addresses and networks that may not, even where ADDRESS_ALLOW has them.")                          \
    X(text, trusted_proxies, "TRUSTED_PROXIES", "", "", "", NULL,                                         \
      0, 65536, "", "connections", workers,                                                               \
      "Proxies whose Forwarded and X-Forwarded-For name the client; separated by commas.")                \
    X(bool, proxy_protocol, "PROXY_PROTOCOL", "", "", "false", NULL,                                      \
      0, 0, "", "connections", workers,                                                                   \
      "Connections from TRUSTED_PROXIES begin with a PROXY header, version 1 or 2, which names the client.") \
    /* TLS */                                                                                             \
    X(text, tls_cert_file, "TLS_CERT_FILE", "", "", "", NULL,                                             \
      0, 16384, "", "TLS", restart,                                                                       \
      "PEM certificate with its chain; several, separated by commas, are chosen by name, the first for all others. Then only TLS is spoken (wss, https). Renewed files are taken at SIGHUP.") \
    X(text, tls_key_file, "TLS_KEY_FILE", "", "", "", NULL,                                               \
      0, 16384, "", "TLS", restart,                                                                       \
      "PEM private key of each certificate, in the same order; empty: it stands in the certificate's own file.") \
    X(text, tls_client_ca_file, "TLS_CLIENT_CA_FILE", "", "", "", NULL,                                   \
      0, 4096, "", "TLS", workers, "PEM certificates of the authorities that client certificates are verified with.") \
    X(choice, tls_client_cert, "TLS_CLIENT_CERT", "", "", "none", NULL,                                   \
      0, 0, "none|optional|require", "TLS", workers,                                                      \
      "Whether clients are asked for a certificate; one that is shown must be good.")                     \
    X(choice, tls_min_version, "TLS_MIN_VERSION", "", "", "1.2", NULL,                                    \
      0, 0, "1.2|1.3", "TLS", workers, "Oldest version of TLS that is accepted.")                         \
    X(int, tls_ticket_rotation, "TLS_TICKET_ROTATION", "", "", "3600000", NULL,                           \
      0, 86400000, "ms", "TLS", restart,                                                                  \
      "How long a key of session tickets is used, and accepted once more as long; 0: no tickets.")        \
    X(bool, tls_ktls, "TLS_KTLS", "", "", "true", NULL,                                                   \
      0, 0, "", "TLS", workers, "Let the kernel encrypt where it can.")                                   \
    /* limits */                                                                                          \
    X(bool, rate_limit_enabled, "RATE_LIMIT_ENABLED", "RATE_LIMITING_ENABLED", "", "true", "false",       \
      0, 0, "", "limits", restart, "Whether any of the following limits holds.")                          \
    X(int, rate_limit_max_connections_per_ip, "RATE_LIMIT_MAX_CONNECTIONS_PER_IP", "", "", "100", NULL,   \
      0, 100000000, "", "limits", workers,                                                                \
      "Most WebSockets from one IPv4 address or IPv6 /64; 0: any number.")                                \
    X(int, rate_limit_max_connections_per_user, "RATE_LIMIT_MAX_CONNECTIONS_PER_USER", "", "", "0", NULL, \
      0, 100000000, "", "limits", workers, "Most WebSockets of one user; 0: any number.")                 \
    X(int, rate_limit_max_handshakes_per_second, "RATE_LIMIT_MAX_HANDSHAKES_PER_SECOND", "", "",          \
      "10000", NULL, 0, 10000000, "", "limits", workers,                                                  \
      "Most handshakes begun on this host in a second; 0: any number.")                                   \
    X(text, rate_limit_max_messages_per_minute, "RATE_LIMIT_MAX_MESSAGES_PER_MINUTE", "", "", "120", NULL, \
      1, 1024, "", "limits", workers,                                                                     \
      "Most messages of one user; TYPE=NUMBER after a comma limits one type as well.")                    \
    X(int, rate_limit_max_bytes_per_minute, "RATE_LIMIT_MAX_BYTES_PER_MINUTE", "", "", "0", NULL,         \
      0, 1000000000, "bytes", "limits", workers,                                                          \
      "Most bytes of one user's messages; 0: any number.")                                                \
    X(text, messages_denied, "MESSAGES_DENIED", "", "", "", NULL,                                         \
      0, 1024, "", "limits", workers,                                                                     \
      "Types of messages that clients may not send now, such as publish,typing.")                         \
    /* Redis */                                                                                           \
    X(url, redis_url, "REDIS_URL", "", "--redis", "", NULL,                                               \
      0, 2048, "", "Redis", workers,                                                                      \
      "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE] or unix:///PATH; empty: this host works alone.")  \
    X(text, redis_host, "REDIS_HOST", "", "", "", NULL,                                                   \
      0, 255, "", "Redis", workers,                                                                       \
      "Instead of REDIS_URL: a name, an address, or the path of a socket.")                               \
    X(int, redis_port, "REDIS_PORT", "", "", "6379", NULL,                                                \
      1, 65535, "", "Redis", workers,                                                                     \
      "TCP port of REDIS_HOST.")                                                                          \
    X(secret, redis_password, "REDIS_PASSWORD", "", "", "", NULL,                                         \
      0, 1024, "", "Redis", workers,                                                                      \
      "Password, where REDIS_URL holds none.")                                                            \
    X(text, redis_password_file, "REDIS_PASSWORD_FILE", "", "", "", NULL,                                 \
      0, 4096, "", "Redis", workers,                                                                      \
      "File that holds the password.")                                                                    \
    X(text, redis_key_prefix, "REDIS_KEY_PREFIX", "", "", "moonx:ws:", NULL,                              \
      1, 128, "", "Redis", workers,                                                                       \
      "What every key begins with; the same on all hosts of one service.")                                \
    X(int, redis_timeout, "REDIS_TIMEOUT", "", "", "1000", NULL,                                          \
      10, 60000, "ms", "Redis", workers,                                                                  \
      "Time for an answer; without one Redis counts as down.")                                            \
    X(int, redis_expiry, "REDIS_EXPIRY", "", "", "90000", NULL,                                           \
      3000, 3600000, "ms", "Redis", workers,                                                              \
      "Life of what a host says of its connections; it says it three times in that time.")                \
    X(int, presence_grace, "PRESENCE_GRACE", "", "", "5000", NULL,                                        \
      0, 60000, "ms", "Redis", workers,                                                                   \
      "Time to come back before a user is told to be offline.")                                           \
    /* external service */                                                                                \
    X(text, external_service_url, "EXTERNAL_SERVICE_URL", "", "", "", NULL,                               \
      0, 2048, "", "external service", workers,                                                           \
      "Service that knows more about notifications, http[s]://HOST[:PORT]; empty: none is asked.")        \
    X(secret, external_service_api_key, "EXTERNAL_SERVICE_API_KEY", "", "", "", NULL,                     \
      0, 4096, "", "external service", workers,                                                           \
      "Sent to it as `Authorization: Bearer`.")                                                           \
    X(text, external_service_api_key_file, "EXTERNAL_SERVICE_API_KEY_FILE", "", "", "", NULL,             \
      0, 4096, "", "external service", workers,                                                           \
      "File that holds the key.")                                                                         \
    X(int, external_service_timeout, "EXTERNAL_SERVICE_TIMEOUT", "", "", "5000", NULL,                    \
      10, 60000, "ms", "external service", workers,                                                       \
      "Time for one question, all attempts together; the notification then goes on without an answer.")   \
    X(int, external_service_retries, "EXTERNAL_SERVICE_RETRIES", "", "", "3", NULL,                       \
      0, 10, "", "external service", workers,                                                             \
      "Attempts after a first one that was refused, cut off, or answered with 429 or 5xx.")
/* clang-format on */

#endif
