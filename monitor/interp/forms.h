/* SPDX-License-Identifier: MIT */
/* forms.h - each file's specialised handlers, chosen by operand form and size; NULL: take the
 * general one, or it is no operation of this file. */
#ifndef RING1_MONITOR_INTERP_FORMS_H
#define RING1_MONITOR_INTERP_FORMS_H

#include "monitor/interp/handler.h"

insn_fn *arith_select(const struct insn *i);  /* ADD ... CMP, TEST, INC, DEC, NEG, NOT */
insn_fn *shift_select(const struct insn *i);  /* ROL ... SAR */
insn_fn *muldiv_select(const struct insn *i); /* IMUL with two and three operands */
insn_fn *data_select(const struct insn *i);   /* MOV, MOVZX, MOVSX, LEA, CMOVcc, SETcc, XCHG */
insn_fn *stack_select(const struct insn *i);  /* PUSH, POP, LEAVE */
insn_fn *branch_select(const struct insn *i); /* Jcc, JMP, CALL, RET */

#endif
