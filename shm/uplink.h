/* The uplink's queue: what one worker hands to ingest for Kafka, and what ingest answers. A memfd for each worker's
 * place, made by the supervisor, mapped read-write by that worker and by ingest, and by nobody else.
 *
 *      0  head            magic, version, size
 *     64  worker's words  tail, head, data_tail, data_head
 *    128  ingest's words  answers, and the flag that says it sleeps
 *    256  entries         UPLINK_ENTRIES of 128 bytes; number n lies at n % UPLINK_ENTRIES
 *      …  data            UPLINK_DATA_BYTES; byte p lies at p % UPLINK_DATA_BYTES, an entry's bytes in one piece
 *
 * Positions are 64-bit counts that only grow. The worker fills in an entry and its bytes, then stores `tail` (release);
 * ingest reads `tail` (acquire), takes the entry and, some time later and in any order, writes the outcome into the
 * entry itself: error, partition, offset, then `answered` = the entry's id (release), then `answers`. The worker reads
 * `answered` (acquire) and believes it only if it is the id that it has kept for itself. `head` moves over the answered
 * prefix, and only what lies before it is used again: so an answer can't be lost, overtaken, or taken for another's.
 *
 * A worker is exposed to strangers, so that ingest takes what stands here for what anybody may have written: it copies
 * an entry, then checks it, and its own truth (how far it has taken, what is under way) lies in its own memory.
 *
 * A successor of a killed ingest takes every entry again that has no answer; that some of them reach Kafka twice is
 * settled by `once` when they are consumed. A successor of a killed worker goes on behind its predecessor's entries,
 * with ids of its own: ingest finishes those, nobody waits for their answers, and they are passed over. */
#ifndef MOONX_SHM_UPLINK_H
#define MOONX_SHM_UPLINK_H

#include "shm/block.h"
#include "shm/order.h"

#define UPLINK_MAGIC         0x6d6f6f6e75706c6bull
#define UPLINK_VERSION       1u
#define UPLINK_ENTRIES       1024u
#define UPLINK_DATA_BYTES    (4u << 20)
#define UPLINK_MAX_BYTES     (1u << 20) /* of key and value together */
#define UPLINK_KEY_MAX_BYTES 256u

enum uplink_target { UPLINK_EVENTS, UPLINK_CONTROL, UPLINK_TARGET_COUNT };

/* Equal for messages of which one alone counts, within the window of shm/once.h. */
struct uplink_once {
    unsigned char bytes[16];
};

#endif
