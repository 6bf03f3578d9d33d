/* SPDX-License-Identifier: MIT */
/* into.S - INTO to a handler that returns. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    HANDLE 4, handler
    ret
handler:
    iretd
rounds:
    mov eax, 0x7fffffff
    add eax, 1 /* OF */
1:  into
    dec ebp /* OF stays but for 0x80000000 */
    mov eax, 0x7fffffff
    lea eax, [eax]
    jz 2f
    add eax, 1
    jmp 1b
2:  ret
