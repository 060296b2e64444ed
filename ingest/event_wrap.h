/* The envelope that clients see, made once, out of pieces: the value's own bytes are spliced in, never
 * printed back from a parse, so numbers keep their text.
 *
 *   {"id":"<topic>:<partition>:<offset>","type":"…","timestamp":<ms>,"data":{…}[,"sourceId":…][,"from":…]}
 *
 * Prepare finds the length, so that the ring can reserve a record; write puts the bytes there. Pure. The
 * pieces point into the event, its source and this struct, which must not move in between. */
#ifndef MOONX_INGEST_EVENT_WRAP_H
#define MOONX_INGEST_EVENT_WRAP_H

#include "ingest/event_check.h"

#define EVENT_WRAP_MAX_PIECES 16

/* Where an event comes from. */
struct event_source {
    struct span label;  /* "<topic>:<partition>", of characters that need no escape */
    uint32_t partition; /* index into the positions table */
    int64_t offset;     /* never negative */
    int64_t kafka_time_ms;
    bool history; /* from before `live_from`: kept for those who resume, delivered to nobody live */
    uint64_t sender;   /* connection left out; 0: none */
    int64_t expiry_ms; /* 0: never */
    bool ephemeral;
};

struct event_wrap {
    size_t length;
    unsigned count;
    struct span pieces[EVENT_WRAP_MAX_PIECES];
    char offset[24], time[24];
};

void event_wrap_prepare(struct event_wrap *wrap, const struct event_source *source,
                        const struct event *event);
/* Exactly wrap->length bytes; returns the end. */
char *event_wrap_write(const struct event_wrap *wrap, char *to);

#endif
