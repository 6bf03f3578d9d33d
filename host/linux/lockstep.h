/* SPDX-License-Identifier: MIT */
/*
 * lockstep.h - memory for the shadow guest of -exec lockstep (monitor/run/lockstep.h): as much
 * again as the guest has.
 */
#ifndef RING1_HOST_LINUX_LOCKSTEP_H
#define RING1_HOST_LINUX_LOCKSTEP_H

#include "host/linux/error.h"

struct machine;

/* After the translator was made, before the board: its devices go on m->lockstep's buses. Sets
 * m->lockstep. */
int host_lockstep_create(struct machine *m, struct error *e);
void host_lockstep_destroy(struct machine *m);

#endif
