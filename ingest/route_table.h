/* The routing table: which topics are consumed, and what becomes of their messages. Ingest only; built once
 * at start (by --check-config too), read-only afterwards, lives as long as the process.
 *
 * A file (ROUTES_FILE) has one line a topic; fields are separated by blanks, `#` starts a comment, `\` at
 * the end of a line continues it (common/table_file.h):
 *
 *     TOPIC  TYPE  ROOMS  [OPTION...]
 *
 *   TOPIC   Kafka's name of the topic: 1-249 of A-Z a-z 0-9 . _ -
 *   TYPE    the `type` that clients see: 1-64 of A-Z a-z 0-9 . _ : -
 *           `-`         type and rooms stand in each message (as on gateway.events); ROOMS is `-`
 *           `@control`  control messages: no client ever sees them; ROOMS is `-`
 *   ROOMS   templates separated by commas (common/template.h), at most 64. A template may name others to
 *           take when a field that it needs is missing or null, separated by `/` (no room name has one):
 *           `notifications:{userId}/notifications` is the user's own room, without a userId everybody's.
 *           A field that is there but makes no room name never falls through to the next one: a private
 *           event must not become a public one by a mistake of its sender.
 *   OPTION  require=FIELD,FIELD   fields of the data that must be there and not null
 *           conflate=TEMPLATE     keep the last value of each key: for who joins, and instead of the backlog for
 *                                 who is slow or resumes
 *           lossless              every value counts: nobody who is slow or resumes is spared one; with conflate=
 *                                 the last values are for who joins alone
 *           sample=MS             with conflate=: a client gets of each key at most one value in so many
 *                                 milliseconds, 10 to 60000, and always the newest at the end
 *
 * Without a file the built-in routes of the protocol apply, with the topics' names from the options. */
#ifndef MOONX_INGEST_ROUTE_TABLE_H
#define MOONX_INGEST_ROUTE_TABLE_H

#include "common/option.h"
#include "common/template.h"

#define ROUTE_TOPIC_MAX_BYTES  249
#define ROUTE_TYPE_MAX_BYTES   64
#define ROUTE_FIELD_MAX_BYTES  64
#define ROUTE_MAX_ROUTES       256
#define ROUTE_MAX_ROOMS        64
#define ROUTE_MAX_ALTERNATIVES 4
#define ROUTE_MAX_REQUIRED     16
#define ROUTE_MAX_NEEDS        8
#define ROUTE_SAMPLE_MIN_MS    10
#define ROUTE_SAMPLE_MAX_MS    60000 /* fits the record's 16 bits */

enum route_kind {
    ROUTE_TYPED,   /* the route says type and rooms */
    ROUTE_SELF,    /* each message says type and rooms */
    ROUTE_CONTROL, /* for the gateway's own processes */
};

struct route_field {
    char name[ROUTE_FIELD_MAX_BYTES + 1];
};

struct route_alternative {
    struct template *template;
    unsigned need_count;
    struct route_field needs[ROUTE_MAX_NEEDS]; /* top-level fields that the template starts from */
};

struct route_room {
    unsigned count;
    struct route_alternative alternatives[ROUTE_MAX_ALTERNATIVES];
};

struct route {
    enum route_kind kind;
    unsigned line; /* of the table, for messages */
    char topic[ROUTE_TOPIC_MAX_BYTES + 1];
    char type[ROUTE_TYPE_MAX_BYTES + 1]; /* "" unless ROUTE_TYPED */
    size_t type_length;
    unsigned required_count;
    struct route_field required[ROUTE_MAX_REQUIRED];
    unsigned room_count;
    struct route_room *rooms;
    struct template *conflate; /* the key of which the last value is kept; NULL: none is */
    bool lossless;             /* every value counts all the same */
    uint16_t sample_ms;        /* of a key at most one value in so long; 0: all of them */
    uint64_t values; /* digest of type, rooms and key: by what its values are kept; 0: none are */
};

struct route_table {
    unsigned count;
    struct route **routes; /* each allocated alone: its address stays */
};

/* From ROUTES_FILE, else built in. -errno; `error` gets one line: "FILE:LINE: what is wrong" or, when a
 * built-in topic's option is bad, "OPTION …". */
int route_table_new(const struct options *options, struct route_table **out, char *error,
                    size_t error_size) MUST_CHECK;
/* From text in memory; `name` stands for the file. */
int route_table_parse(const char *name, struct span text, struct route_table **out, char *error,
                      size_t error_size) MUST_CHECK;
void route_table_free(struct route_table *table);

/* NULL when there is none. */
const struct route *route_table_find(const struct route_table *table, struct span topic);

#endif
