/* SPDX-License-Identifier: MIT */
/* console_priv.h - between console.c and console_open.c. */
#ifndef RING1_HOST_LINUX_CONSOLE_PRIV_H
#define RING1_HOST_LINUX_CONSOLE_PRIV_H

#include "host/linux/console.h"

/* Accepts the client that waits at the listening socket. */
void console_accept(struct console *c);

#endif
