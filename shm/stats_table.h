/* Every counter and gauge, in one table: name, type, help. /metrics, /health, documentation and tests are
 * made from it.
 *   X(id, prometheus name without the prefix moonx_, kind, owner, help)
 * kind: counter (only grows) or gauge; owner: which process writes it (ingest, worker); both keep theirs in
 * shared memory, so that whoever is asked can sum. */
#ifndef MOONX_SHM_STATS_TABLE_H
#define MOONX_SHM_STATS_TABLE_H

/* clang-format off */
#define STATS_TABLE(X)                                                                                       \
    X(KAFKA_MESSAGES, "kafka_messages_total", counter, ingest, "Messages taken from Kafka")                  \
    X(KAFKA_BYTES, "kafka_bytes_total", counter, ingest, "Bytes of the values taken from Kafka")             \
    X(KAFKA_ERRORS, "kafka_errors_total", counter, ingest, "Errors reported by the Kafka client")            \
    X(KAFKA_GAPS, "kafka_gap_offsets_total", counter, ingest, "Offsets lost to retention before they were read") \
    X(KAFKA_RESTARTS, "kafka_topic_restarts_total", counter, ingest, "Times a partition's offsets went back") \
    X(KAFKA_TOMBSTONES, "kafka_tombstones_total", counter, ingest, "Messages without a value")               \
    X(CONTROL_MESSAGES, "control_messages_total", counter, ingest, "Control messages applied")               \
    X(CONTROL_REJECTED, "control_rejected_total", counter, ingest, "Control messages that mean nothing")     \
    X(REVOCATIONS_COARSE, "revocations_coarse_total", counter, ingest, "Revocations that the full table keeps for more tokens than meant: raise REVOCATION_MAX") \
    X(EVENTS_REJECTED, "events_rejected_total", counter, ingest, "Messages that could not become an event")  \
    X(ROOMS_INVALID, "event_rooms_invalid_total", counter, ingest, "Room names that came out invalid and were skipped") \
    X(HISTORY_RECORDS, "history_records_total", counter, ingest, "Records refilled at the start, for clients that resume") \
    X(HISTORY_SKIPPED, "history_skipped_total", counter, ingest, "Offsets left out of the refill because the ring is too small") \
    X(SNAPSHOT_EVICTED, "snapshot_evicted_total", counter, ingest, "Keys that gave way in the snapshot table to newer ones") \
    X(SNAPSHOT_REFUSED, "snapshot_refused_total", counter, ingest, "Values of conflated routes that are too long for the snapshot table") \
    X(RING_RECORDS, "ring_records_total", counter, ingest, "Records written into the ring")                  \
    X(RING_BYTES, "ring_bytes_total", counter, ingest, "Bytes written into the ring")                        \
    X(RING_PUBLISHES, "ring_publishes_total", counter, ingest, "Batches made visible")                       \
    X(PACE_EPISODES, "pace_episodes_total", counter, ingest, "Times consumption waited for a lagging worker") \
    X(PACE_MS, "pace_milliseconds_total", counter, ingest, "Time that consumption waited for workers")       \
    X(WAKES, "worker_wakes_total", counter, ingest, "Sleeping workers woken")                                \
    X(UPLINK_TAKEN, "uplink_taken_total", counter, ingest, "Messages of workers handed to Kafka")              \
    X(UPLINK_INVALID, "uplink_invalid_total", counter, ingest, "Uplink entries that no worker writes: must stay 0") \
    X(PRODUCED, "kafka_produced_total", counter, ingest, "Messages that Kafka has durably")                  \
    X(PRODUCE_ERRORS, "kafka_produce_errors_total", counter, ingest, "Messages that Kafka did not take")     \
    X(PRODUCER_RESTARTS, "kafka_producer_restarts_total", counter, ingest, "Times the producer was made anew after a fatal error") \
    X(DUPLICATES, "kafka_duplicates_total", counter, ingest, "Messages that count once and came again")      \
    X(ONCE_REFUSED, "once_refused_total", counter, ingest, "Messages that count once, of more partitions than can be watched: counted each time") \
    X(DEAD_LETTERS, "dead_letters_total", counter, ingest, "Bad values handed to the dead-letter topic")     \
    X(DEAD_LETTERS_LOST, "dead_letters_lost_total", counter, ingest, "Bad values that could not be kept there") \
    X(UPLINK_SENT, "uplink_sent_total", counter, worker, "Messages handed to ingest for Kafka")              \
    X(UPLINK_FAILED, "uplink_failed_total", counter, worker, "Such messages that did not arrive, as far as is known") \
    X(CONNECTIONS, "connections", gauge, worker, "Open WebSocket connections")                               \
    X(SOCKETS, "sockets", gauge, worker, "Open client sockets of any kind")                                  \
    X(AUTHENTICATED, "connections_authenticated", gauge, worker, "Connections that have authenticated")      \
    X(PENDING_AUTH, "connections_pending_auth", gauge, worker, "Connections that have not authenticated yet") \
    X(USERS, "users", gauge, worker, "Users with a connection on the worker")                                \
    X(ROOMS, "rooms", gauge, worker, "Rooms with a member on the worker, personal rooms not counted")        \
    X(ACCEPTED, "accepted_total", counter, worker, "Sockets accepted")                                       \
    X(ACCEPT_ERRORS, "accept_errors_total", counter, worker, "Accepts that failed (descriptors, memory)")    \
    X(REFUSED_FULL, "refused_full_total", counter, worker, "Upgrades refused because the host is full or draining") \
    X(REFUSED_ADDRESS, "refused_address_total", counter, worker, "Upgrades refused for their address")       \
    X(REFUSED_ORIGIN, "refused_origin_total", counter, worker, "Upgrades refused for their origin")          \
    X(REFUSED_RATE, "refused_handshake_rate_total", counter, worker, "Upgrades refused because there were too many in a second") \
    X(REFUSED_PER_ADDRESS, "refused_address_limit_total", counter, worker, "Upgrades refused because the address has too many connections") \
    X(REFUSED_TOKEN, "refused_token_total", counter, worker, "Upgrades refused for their token, or because nobody could judge it") \
    X(REFUSED_PER_USER, "refused_user_limit_total", counter, worker, "Connections closed because the user has too many") \
    X(MESSAGES_DENIED, "messages_denied_total", counter, worker, "Messages refused because the operator does not want their type now") \
    X(MESSAGES_LIMITED, "messages_limited_total", counter, worker, "Messages refused because there were too many in a minute") \
    X(ABUSERS_CLOSED, "abusers_closed_total", counter, worker, "Connections closed because they went on in spite of refusals") \
    X(TLS_CONNECTIONS, "tls_connections", gauge, worker, "Open client sockets that speak TLS")                \
    X(TLS_FULL, "tls_handshakes_full_total", counter, worker, "TLS handshakes with a new session")           \
    X(TLS_RESUMED, "tls_handshakes_resumed_total", counter, worker, "TLS handshakes that resumed a session")  \
    X(TLS_FAILED, "tls_handshakes_failed_total", counter, worker, "TLS handshakes that failed or did not end in time") \
    X(TLS_PLAIN, "tls_plain_requests_total", counter, worker, "Plain HTTP requests to a port that speaks TLS") \
    X(HTTP_REQUESTS, "http_requests_total", counter, worker, "HTTP requests answered, upgrades included")    \
    X(HTTP_BAD_REQUESTS, "http_bad_requests_total", counter, worker, "HTTP requests refused by the gate")    \
    X(PROXY_HEADERS_BAD, "proxy_headers_bad_total", counter, worker, "Connections of trusted proxies closed for want of a right PROXY header") \
    X(UPGRADES, "upgrades_total", counter, worker, "WebSocket connections opened")                           \
    X(AUTH_SUCCESSES, "auth_successes_total", counter, worker, "Tokens accepted")                            \
    X(AUTH_FAILURES, "auth_failures_total", counter, worker, "Tokens refused")                               \
    X(REVOKED_CLOSED, "revoked_closed_total", counter, worker, "Connections closed because their token was revoked") \
    X(DISCONNECTED, "disconnected_total", counter, worker, "Connections closed by an operator")              \
    X(AUTH_SERVICE_CALLS, "auth_service_calls_total", counter, worker, "Tokens that the auth service was asked about") \
    X(AUTH_SERVICE_ERRORS, "auth_service_errors_total", counter, worker, "Calls without a usable answer")    \
    X(ROOM_QUESTIONS, "room_questions_total", counter, worker, "Rooms that the auth service was asked about") \
    X(ROOMS_REVOKED, "rooms_revoked_total", counter, worker, "Memberships ended because the right to them was") \
    X(AUTH_SERVICE_UP, "auth_service_up", gauge, worker, "Workers that reach the auth service")              \
    X(AUTH_SERVICE_DOWN, "auth_service_down", gauge, worker, "Workers that do not")                          \
    X(ISSUER_KEYS_UP, "issuer_keys_up", gauge, worker, "Issuers of JWT_JWKS_URL whose keys a worker has, summed over workers") \
    X(ISSUER_KEYS_DOWN, "issuer_keys_down", gauge, worker, "Such issuers whose keys a worker has not got yet")  \
    X(REDIS_UP, "redis_up", gauge, worker, "Workers that reach Redis")                                        \
    X(REDIS_DOWN, "redis_down", gauge, worker, "Workers that do not")                                        \
    X(REDIS_FAILURES, "redis_failures_total", counter, worker, "Connections to Redis that failed or were given up") \
    X(LIMIT_SHARES, "redis_limit_shares_total", counter, worker, "Shares of limits told to Redis: one for each active user, limit and flush") \
    X(PRESENCE_TOLD, "presence_changes_total", counter, worker, "Users told to have come online or gone offline") \
    X(PRESENCE_UNTOLD, "presence_changes_untold_total", counter, worker, "Such changes that could not be told: too many in a second, or Kafka away") \
    X(EXTERNAL_CALLS, "external_calls_total", counter, worker, "Requests to the external service about notifications") \
    X(EXTERNAL_RETRIES, "external_retries_total", counter, worker, "Those of them that were not the first")  \
    X(EXTERNAL_ERRORS, "external_errors_total", counter, worker, "Such requests without a usable answer")    \
    X(EXTERNAL_MISSED, "external_missed_total", counter, worker, "Notifications that went on without its answer") \
    X(EXTERNAL_UP, "external_up", gauge, worker, "Workers that the external service tells it is healthy")    \
    X(EXTERNAL_DOWN, "external_down", gauge, worker, "Workers that it does not")                             \
    X(AUTH_TIMEOUTS, "auth_timeouts_total", counter, worker, "Connections closed because they did not authenticate in time") \
    X(MESSAGES_IN, "messages_received_total", counter, worker, "Messages from clients")                      \
    X(BYTES_IN, "received_bytes_total", counter, worker, "Bytes from clients")                               \
    X(ERRORS_OUT, "error_replies_total", counter, worker, "Error replies to clients")                        \
    X(RECORDS_READ, "records_read_total", counter, worker, "Records read from the ring")                     \
    X(RECORDS_SKIPPED, "records_lapped_total", counter, worker, "Records overwritten before they were read") \
    X(RECORDS_MATCHED, "records_matched_total", counter, worker, "Records with at least one listener")       \
    X(DELIVERIES, "deliveries_total", counter, worker, "Event references queued to connections")             \
    X(MESSAGES_OUT, "messages_sent_total", counter, worker, "Messages queued to clients, events and replies") \
    X(BYTES_OUT, "sent_bytes_total", counter, worker, "Bytes written to clients")                            \
    X(SNAPSHOT_VALUES, "snapshot_values_sent_total", counter, worker, "Current values queued to clients that joined a room") \
    X(FRAMES_DEFLATED, "frames_deflated_total", counter, worker, "Events deflated, once for all their listeners") \
    X(MESSAGES_DEFERRED, "messages_deferred_total", counter, worker, "Messages that had to wait for the verdict on their client's token") \
    X(MESSAGES_INFLATED, "messages_inflated_total", counter, worker, "Deflated messages from clients")       \
    X(FLUSHES, "flushes_total", counter, worker, "Writes to sockets")                                        \
    X(FLUSH_BLOCKED, "flushes_blocked_total", counter, worker, "Writes that found the socket full")          \
    X(QUEUED_BYTES, "queued_bytes", gauge, worker, "Bytes waiting for clients to read")                      \
    X(FRAME_BYTES, "frame_bytes", gauge, worker, "Memory held by frames that wait to be written")            \
    X(SLOW_CLOSED, "slow_clients_closed_total", counter, worker, "Connections closed because they took nothing in time or could not be caught up") \
    X(OVERLOAD_NO_DEFLATE, "overload_no_deflate", gauge, worker, "Workers that deflate nothing because too much waits to be written") \
    X(OVERLOAD_SHORT_QUEUES, "overload_short_queues", gauge, worker, "Workers that have shortened clients' queues for it") \
    X(OVERLOAD_REFUSING, "overload_refusing", gauge, worker, "Workers that refuse new connections for it")    \
    X(OVERLOAD_SHEDDING, "overload_shedding", gauge, worker, "Workers that close the slowest clients for it")  \
    X(OVERLOAD_SHED, "overload_shed_total", counter, worker, "Connections closed because too much waited to be written") \
    X(CATCHING, "connections_catching_up", gauge, worker, "Connections that read missed events from the ring") \
    X(FELL_BEHIND, "slow_clients_behind_total", counter, worker, "Times a client's full queue made it read on from the ring") \
    X(CAUGHT_UP, "caught_up_events_total", counter, worker, "Missed events queued to clients that caught up")  \
    X(CATCHUPS_TOO_MUCH, "catchups_too_much_total", counter, worker, "Connections closed because they had missed too many events") \
    X(CATCHUPS_LAPPED, "catchups_lapped_total", counter, worker, "Connections closed because what they missed had left the ring") \
    X(RESUMES_RECOVERED, "resumes_recovered_total", counter, worker, "Resumes that gave all that was missed") \
    X(RESUMES_TOO_OLD, "resumes_too_old_total", counter, worker, "Resumes whose position had left the ring")  \
    X(RESUMES_UNKNOWN, "resumes_unknown_position_total", counter, worker, "Resumes whose position this host can't know") \
    X(PINGS, "pings_total", counter, worker, "Pings sent")                                                   \
    X(PONG_TIMEOUTS, "pong_timeouts_total", counter, worker, "Connections closed because no pong came")      \
    X(CLOSED, "closed_total", counter, worker, "WebSocket connections closed")                               \
    X(PROTOCOL_ERRORS, "protocol_errors_total", counter, worker, "Connections closed for a WebSocket protocol error") \
    X(CONFIG_GENERATION, "config_generation", gauge, worker, "How often the configuration has been taken, 1 after the start") \
    X(LOG_LINES_LOST, "log_lines_lost", gauge, worker, "Lines that workers could not write because stderr was full") \
    X(LATE_WAKES, "late_wakes_total", counter, worker, "Records found only by the backstop timer: must stay 0") \
    X(INGEST_LATENCY_NS, "ring_latency_nanoseconds_total", counter, worker, "Time from ring to queue, summed over matched records")
/* clang-format on */

#endif
