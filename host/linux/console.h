/* SPDX-License-Identifier: MIT */
/*
 * console.h - the host's end of a serial port: terminal, file, pty, socket or nothing.
 *
 * Promises   Sending never blocks: bytes go into a ring (out_ring_put() is the device's send) that
 *            console_serve() empties. A guest that fills the ring faster than the reader reads is
 *            paused by the loop (console_is_full()), for as long as it takes on stdio, at most
 *            CONSOLE_PATIENCE_NS on a socket, not at all on a pty; after that bytes are dropped.
 *            Input that the guest does not take stays with the sender, except on a terminal, where
 *            the Ctrl-A commands must work at all times.
 */
#ifndef RING1_HOST_LINUX_CONSOLE_H
#define RING1_HOST_LINUX_CONSOLE_H

#include <poll.h>

#include "host/linux/config.h"
#include "host/linux/error.h"
#include "host/linux/fpu_safe.h"
#include "include/ring1/host.h"

#define CONSOLE_IN          1024u /* a power of two */
#define CONSOLE_FDS         2u    /* descriptors of one console to poll at most */
#define CONSOLE_PATIENCE_NS NS_PER_SEC

/* What the user asked for with Ctrl-A; bits of console.asked. events.c clears what it hands on. */
#define ASKED_QUIT         1u
#define ASKED_BREAK        2u
#define ASKED_POWER_BUTTON 4u

enum console_writer {
    WRITER_PLAIN,    /* never blocks for long: regular files */
    WRITER_NONBLOCK, /* our own non-blocking description */
    WRITER_SOCKET,   /* MSG_DONTWAIT */
    WRITER_CAREFUL,  /* blocking description shared with others: poll, then little pieces */
};

struct console {
    enum console_kind kind;
    const char *what;             /* "serial port 1", for messages */
    struct out_ring *out;         /* NULL: CONSOLE_NONE and CONSOLE_NULL */
    int in_fd, out_fd, listen_fd; /* -1: none */
    enum console_writer writer;
    bool mux, terminal, escape;
    bool lossy; /* pty: nobody may be there to read */
    bool complained;
    ns_t full_since; /* NS_NEVER: not full */
    char path[108];  /* unix server: to be removed at the end, if it is still this one: */
    uint64_t path_dev, path_ino;
    uint32_t in_head, in_tail;
    uint8_t in[CONSOLE_IN];
    unsigned asked;
    int poll_in, poll_out, poll_listen; /* places in the last pollfd array, -1: none */
};

/* Opens what *spec names, for the device `what` ("serial port 1"; kept by reference). Returns 0, or
 * -1 with *e. */
int console_open(struct console *c, const struct console_spec *spec, const char *what,
                 struct error *e);
/* Writes out what can be written and closes. */
void console_close(struct console *c);
bool console_is_stdio(const struct console *c);

/* Adds what to wait for to p[n...], at most CONSOLE_FDS entries; returns the new n. */
unsigned console_poll(struct console *c, struct pollfd *p, unsigned n);
/* To be called after poll() with the same array: reads, accepts, writes. p NULL: only writes. */
void console_serve(struct console *c, const struct pollfd *p, ns_t now);
/* Should the guest wait for the reader? */
bool console_is_full(const struct console *c, ns_t now);

static inline uint32_t console_input(const struct console *c)
{
    return c->in_head - c->in_tail;
}
/* vmm_host.next_event (events.c, FPU-SAFE): a BREAK, a press of the power button, or input of one
 * of the consoles of the struct linux_host `opaque`. Before a console's input comes its BREAK. */
bool console_next_event(void *opaque, const struct host_room *room, struct host_event *e);

/* Removes the socket that we listen on. Async-signal-safe. */
void console_abandon(struct console *c);

/* For the signal handler of a dying process: writes what is in the ring, once, to stdio only. */
void console_flush_now(struct console *c);

#endif
