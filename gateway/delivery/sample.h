/* Sampling: of a route with `sample=MS` clients get of each key at most one value in so many milliseconds, and always
 * the newest one at the end of them.
 *
 *   value      |A....|B.C.D|...............|E
 *   clients    A     .     D (marked)      E         the first after a pause at once; B and C are passed over
 *
 * What comes too soon after its key's last one is not queued to anybody; it waits in the ring, where the next one takes
 * its place. When its time has come the newest goes to all listeners as one shared frame, marked `"snapshot":true`: events
 * of its partition that were newer have gone out before, and so it is exempt from order and moves no position. For
 * that reason who resumes is given the values below its position that may have been passed over (snapshot.h), and who was
 * catching up when one was due gets it when it is live again (catchup.h). Who has been given it meanwhile, by a snapshot
 * or from the ring, does not get it again (sample_given.h).
 *
 * The interval is the key's, whoever listens. A key is known by its slot in the snapshot table. Slots that have changed hands (a key gave way, ingest was killed)
 * are noticed before the next record is read: what waits there goes out at once, so that no older value ever follows a
 * newer one that came by another slot.
 *
 * Memory: 40 bytes a slot of the snapshot table, from the first sampled value on; nothing a value, nothing a connection.
 * One worker owns one. */
#ifndef MOONX_GATEWAY_DELIVERY_SAMPLE_H
#define MOONX_GATEWAY_DELIVERY_SAMPLE_H

#include "gateway/worker.h"
#include "shm/record.h"

struct samples;

int samples_new(struct samples **out) MUST_CHECK;
void samples_free(struct samples *samples);

/* Before the records below `end` are read. */
void sample_follow(struct worker *worker, uint64_t end);
/* A value of a conflated route, just read: queued to its listeners, how many there were; 0 also when it waits or
 * none of them listens. -ENOMEM: to none. */
long sample_record(struct worker *worker, const struct record *record) MUST_CHECK;
/* True: some value waits for its time, perhaps. */
bool sample_waits(const struct worker *worker);
/* A turn's share of what is due. True: there is more to do now. */
bool sample_turn(struct worker *worker);

#endif
