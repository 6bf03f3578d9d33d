/* SPDX-License-Identifier: MIT */
/* terminal.c - see terminal.h. */
#define _GNU_SOURCE
#include "host/linux/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved, raw;
static volatile bool wanted, active;

static bool in_background(void)
{
    pid_t owner = tcgetpgrp(
        STDIN_FILENO); /* -1: not our controlling terminal, which has no job control for us */

    return owner >= 0 && owner != getpgrp();
}

void terminal_raw(bool keep_signals)
{
    if (wanted || tcgetattr(STDIN_FILENO, &saved) < 0)
        return;
    raw = saved;
    raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_oflag |= OPOST; /* guests that end lines with LF alone stay readable */
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!keep_signals)
        raw.c_lflag &= ~(tcflag_t)ISIG;
    raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    wanted = true;
    atexit(terminal_restore);
    terminal_resume();
}

void terminal_resume(void)
{
    /* In the background this would stop us (SIGTTOU); the SIGCONT of `fg` comes again. */
    if (!wanted || in_background())
        return;
    active = true; /* first: a signal between the two must restore */
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void terminal_restore(void)
{
    int keep = errno;

    if (active && !in_background()) {
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
        active = false;
    }
    errno = keep;
}
