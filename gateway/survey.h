/* What is asked about all workers' connections, by operators and by `presence` of a room: this worker's own questions,
 * and its answers to everybody's (shm/survey.h). One worker owns it. Who asks rings the others' bells, and so does who
 * has answered: that takes a millisecond, or a tick where a bell got lost, and ends after SURVEY_TIMEOUT_MS with what has
 * come. Who asks the same before it has been put to all shares it. All rooms are looked through a slice a tick, so that no
 * turn gets long. */
#ifndef MOONX_GATEWAY_SURVEY_H
#define MOONX_GATEWAY_SURVEY_H

#include "gateway/worker.h"
#include "shm/survey.h"

#define SURVEY_TIMEOUT_MS 2000 /* well below the five seconds after which a silent worker is none */
#define SURVEY_WAITING    64u  /* questions of one worker that wait for their turn */

/* `number`: under which the answers stand in the workers' blocks until this returns; 0: the worker stops, nobody will
 * answer. */
typedef void survey_done(struct worker *worker, uint64_t number, void *context);

/* Puts the question to all workers; `done` is called once, in a later turn. -EBUSY:
 * too many wait already. */
int survey_begin(struct worker *worker, const struct survey_question *question, survey_done *done,
                 void *context) MUST_CHECK;

/* At the start: a predecessor's open question ends. */
void survey_start(struct worker *worker);
/* With every tick. */
void survey_tick(struct worker *worker);
/* The worker's bell has rung: somebody may have asked, or answered. */
void survey_hear(struct worker *worker);
/* Tells everybody who waits that nothing will come. */
void survey_stop(struct worker *worker);

#endif
