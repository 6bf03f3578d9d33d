/* SPDX-License-Identifier: MIT */
/* console.c - see console.h: input, output, the Ctrl-A commands. Opening and closing are in
 * console_open.c. */
#define _GNU_SOURCE
#include "host/linux/console.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/linux/console_priv.h"

#define HIGH_WATER    (OUT_RING / 2)
#define CAREFUL_PIECE 512u
#define CTRL_A        0x01

static const char help_text[] = "\r\n"
                                "Ctrl-A H  this help\r\n"
                                "Ctrl-A X  end ring1\r\n"
                                "Ctrl-A B  send a break\r\n"
                                "Ctrl-A P  press the power button\r\n"
                                "Ctrl-A Ctrl-A  send Ctrl-A\r\n";

bool console_is_stdio(const struct console *c)
{
    return c->kind == CONSOLE_STDIO;
}

static void in_put(struct console *c, uint8_t byte)
{
    if (console_input(c) < CONSOLE_IN)
        c->in[c->in_head++ & (CONSOLE_IN - 1)] = byte;
}

static void command(struct console *c, uint8_t byte)
{
    switch (byte) {
    case 'x':
    case 'X':
        c->asked |= ASKED_QUIT;
        break;
    case 'b':
    case 'B':
        c->asked |= ASKED_BREAK;
        break;
    case 'p':
    case 'P':
        c->asked |= ASKED_POWER_BUTTON;
        break;
    case CTRL_A:
        in_put(c, CTRL_A);
        break;
    default:
        out_ring_put(c->out, (const uint8_t *)help_text, sizeof help_text - 1);
        break;
    }
}

static void input_byte(struct console *c, uint8_t byte)
{
    if (!c->mux) {
        in_put(c, byte);
    } else if (c->escape) {
        c->escape = false;
        command(c, byte);
    } else if (byte == CTRL_A) {
        c->escape = true;
    } else {
        in_put(c, byte);
    }
}

/* Lets go of a client that went away, or of standard input at its end. */
static void disconnect(struct console *c)
{
    if (c->kind == CONSOLE_UNIX) {
        close(c->in_fd);
        c->in_fd = c->out_fd = -1;
        c->out->tail = c->out->head;
    } else {
        c->in_fd = -1; /* end of standard input: the guest goes on */
    }
}

static void serve_input(struct console *c)
{
    uint8_t buf[256];
    uint32_t room = CONSOLE_IN - console_input(c);
    size_t want = c->terminal || room > sizeof buf ? sizeof buf : room;

    if (!want)
        return;
    ssize_t n = read(c->in_fd, buf, want);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        disconnect(c);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        input_byte(c, buf[i]);
}

static ssize_t write_some(struct console *c, const uint8_t *p, size_t len)
{
    struct pollfd w = {.fd = c->out_fd, .events = POLLOUT};

    switch (c->writer) {
    case WRITER_SOCKET:
        return send(c->out_fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WRITER_CAREFUL:
        if (poll(&w, 1, 0) != 1) {
            errno = EAGAIN;
            return -1;
        }
        return write(c->out_fd, p, len < CAREFUL_PIECE ? len : CAREFUL_PIECE);
    case WRITER_PLAIN:
    case WRITER_NONBLOCK:
        break;
    }
    return write(c->out_fd, p, len);
}

static void serve_output(struct console *c)
{
    struct out_ring *r = c->out;

    if (c->out_fd < 0) {
        r->tail = r->head; /* nobody is connected */
        return;
    }
    while (out_ring_used(r)) {
        uint32_t from = r->tail & (OUT_RING - 1), len = out_ring_used(r);
        if (len > OUT_RING - from)
            len = OUT_RING - from;
        ssize_t n = write_some(c, r->bytes + from, len);
        if (n > 0) {
            r->tail += (uint32_t)n;
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (c->kind == CONSOLE_UNIX) {
            disconnect(c);
            return;
        }
        if (!c->complained)
            say("cannot write the output of %s: %s; it is lost from here on", c->what,
                n < 0 ? strerror(errno) : "end of file");
        c->complained = true;
        r->tail = r->head;
    }
}

unsigned console_poll(struct console *c, struct pollfd *p, unsigned n)
{
    c->poll_in = c->poll_out = c->poll_listen = -1;
    if (!c->out)
        return n;
    if (c->in_fd >= 0 && (c->terminal || console_input(c) < CONSOLE_IN)) {
        c->poll_in = (int)n;
        p[n++] = (struct pollfd){.fd = c->in_fd, .events = POLLIN};
    } else if (c->in_fd < 0 && c->listen_fd >= 0) {
        c->poll_listen = (int)n;
        p[n++] = (struct pollfd){.fd = c->listen_fd, .events = POLLIN};
    }
    if (c->out_fd >= 0 && out_ring_used(c->out)) {
        c->poll_out = (int)n;
        p[n++] = (struct pollfd){.fd = c->out_fd, .events = POLLOUT};
    }
    return n;
}

void console_serve(struct console *c, const struct pollfd *p, ns_t now)
{
    if (!c->out)
        return;
    if (p && c->poll_listen >= 0 && p[c->poll_listen].revents)
        console_accept(c);
    else if (p && c->poll_in >= 0 && p[c->poll_in].revents && c->in_fd >= 0)
        serve_input(c);
    if (out_ring_used(c->out))
        serve_output(c);
    if (out_ring_used(c->out) < HIGH_WATER)
        c->full_since = NS_NEVER;
    else if (c->full_since == NS_NEVER)
        c->full_since = now;
}

bool console_is_full(const struct console *c, ns_t now)
{
    if (!c->out || c->lossy || c->full_since == NS_NEVER)
        return false;
    return c->kind == CONSOLE_STDIO || now - c->full_since < CONSOLE_PATIENCE_NS;
}

void console_flush_now(struct console *c)
{
    struct out_ring *r = c->out;

    if (!r || c->kind != CONSOLE_STDIO)
        return;
    uint32_t from = r->tail & (OUT_RING - 1), len = out_ring_used(r);
    if (len > OUT_RING - from)
        len = OUT_RING - from;
    if (len && write(c->out_fd, r->bytes + from, len) < 0)
        return;
    r->tail += len;
}
