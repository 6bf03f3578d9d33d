/* SPDX-License-Identifier: MIT */
/* console_priv.h - between console.c and console_open.c. */
#ifndef RING1_HOST_LINUX_CONSOLE_PRIV_H
#define RING1_HOST_LINUX_CONSOLE_PRIV_H

#include "host/linux/console.h"

/* A client knocks at the listening socket: takes it. */
void console_accept(struct console *c);

#endif
