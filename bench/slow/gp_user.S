/* SPDX-License-Identifier: MIT */
/* gp_user.S - CLI at CPL 3: #GP, whose handler goes on behind it. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    HANDLE 13, refused
    ret
SKIP refused, 1, 1
rounds:
    USER_ROUNDS user_rounds
    .section .user
user_rounds:
    cli
    dec ebp
    jnz user_rounds
    DONE_ROUNDS
