/* Who is in a room on this worker: its answer to SURVEY_MEMBERS (shm/survey.h). Each user once, however many
 * connections he has there; those that are closing do not count. */
#ifndef MOONX_GATEWAY_SURVEY_MEMBERS_H
#define MOONX_GATEWAY_SURVEY_MEMBERS_H

#include "gateway/worker.h"
#include "shm/survey.h"

/* Past so many listeners users are no longer told apart: one turn must not get long. */
#define SURVEY_MEMBERS_LOOKED 50000u

/* Fills rows, count and total; a name that no room may have has nobody in it. */
void survey_members(const struct worker *worker, struct span room, struct survey_answer *answer);

#endif
