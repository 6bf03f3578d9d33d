/* SPDX-License-Identifier: MIT */
/*
 * error.h - one sentence that says what is wrong and what to do; filled at the bottom, printed once
 * at the top.
 *
 * Promises   The text is one line without a final newline, cut when it is too long, printable
 *            whatever the names in it hold.
 */
#ifndef RING1_HOST_LINUX_ERROR_H
#define RING1_HOST_LINUX_ERROR_H

struct error {
    char text[640];
};

/* Fills *e; returns -1 so that callers can `return error_set(...)`. */
int error_set(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says why memory or a descriptor was refused: like strerror(), but names the limit that may be the
 * cause. */
const char *refusal(int err);

/* Prints "ring1: TEXT" on standard error, whole even when the terminal is raw. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Begins each sentence with "ring1 (NAME): " from now on; NULL: with "ring1: ". The string is kept
 * by reference. */
void say_as(const char *guest_name);

#endif
