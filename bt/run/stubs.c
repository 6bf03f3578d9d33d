/* SPDX-License-Identifier: MIT */
/*
 * stubs.c - the fixed routines at the start of the arena: the way into translated code and out of
 * it.
 *
 * Promises   The C side sees the System V ABI kept; the guest side sees its registers and flags as
 *            docs/codegen.md section 1 has them. The monitor's stack pointer is 16-byte aligned at
 *            calls.
 * Interrupts No look at vcpu.attention by C code is the last one before guest code runs:
 *            load_flags() looks again. A signal that comes later than that finds RIP in the arena
 *            and in_cache set (bt_break_in()).
 * Source     System V ABI for x86-64, section 3.2.
 */
#include "bt/run/run_priv.h"
#include "monitor/arch/control.h"

#define GPR(n) VCPU(gpr[n])

static const uint8_t saved_regs[] = {RBX, RBP, R12, R13, R14, R15};

/* Guest registers and flags to the vCPU; the stack becomes the monitor's. Clobbers r10, r11; keeps
 * r8, r9. */
static void spill(struct emit *e)
{
    emit_mov_mi8(e, VCPU(bt.in_cache), 0);
    emit_mov_mr64(e, VCPU(bt.return_rsp), RSP);
    emit_mov_rm64(e, RSP, VCPU(bt.monitor_rsp));
    for (unsigned n = 0; n < GPR_COUNT; n++)
        emit_mov_mr32(e, GPR(n), host_gpr(n));
    emit_pushfq(e);
    emit_pop_r64(e, R10);
    emit_cld(e);
    emit_alu_ri32(e, ALU_AND, R10, LIVE_FLAGS);
    emit_mov_rm32(e, R11, VCPU(eflags));
    emit_alu_ri32(e, ALU_AND, R11, ~(uint32_t)(LIVE_FLAGS | EFL_IF));
    emit_alu_rr32(e, ALU_OR, R10, R11);
    emit_movzx_rm8(e, R11, VCPU(bt.interrupt_flag));
    emit_shl_ri32(e, R11, EFL_IF_SHIFT);
    emit_alu_rr32(e, ALU_OR, R10, R11);
    emit_mov_mr32(e, VCPU(eflags), R10);
}

/* ZF = 0: something is asked for. */
static void test_attention(struct emit *e)
{
    emit_insn_m(e, 0, MAP_1, 0x83, 7, VCPU(attention)); /* cmp */
    emit8(e, 0);
}

/* Arithmetic flags and DF from r10d; from here on guest code may run. If vcpu.attention is set, TF
 * too: the host then steps to the next guest instruction. POPF takes some 25 cycles, SAHF one: it
 * is for DF = 1 only. Clobbers rax, r10. */
static void load_flags(struct emit *e)
{
    emit_mov_mi8(e, VCPU(bt.in_cache), 1);
    test_attention(e);
    uint32_t asked = emit_jcc8(e, 5); /* jnz */
    emit_test_ri32(e, R10, EFL_DF);
    uint32_t down = emit_jcc8(e, 5);
    emit_mov_rr32(e, RAX, R10);
    emit_shl_ri32(e, RAX, 8); /* AH is what LAHF would give */
    emit_shr_ri32(e, R10, EFL_OF_SHIFT);
    emit_alu_ri32(e, ALU_AND, R10, 1);
    emit_flags_from_ah(e, R10);
    uint32_t done = emit_jmp8(e);
    emit_here8(e, asked);
    emit_here8(e, down);
    emit_alu_ri32(e, ALU_AND, R10, LIVE_FLAGS);
    emit_alu_ri32(e, ALU_OR, R10, EFL_FIXED1 | EFL_IF); /* IF: the host's, which stays on */
    test_attention(e);
    uint32_t quiet = emit_jcc8(e, 4); /* jz */
    emit_alu_ri32(e, ALU_OR, R10, EFL_TF);
    emit_here8(e, quiet);
    emit_push_r64(e, R10);
    emit_popfq(e);
    emit_here8(e, done);
}

/* The inverse of spill(), then the return stack. Clobbers r10; keeps r8, r9, r11. */
static void reload(struct emit *e)
{
    emit_mov_rm32(e, R10, VCPU(eflags));
    emit_shr_ri32(e, R10, EFL_IF_SHIFT);
    emit_alu_ri32(e, ALU_AND, R10, 1);
    emit_mov_mr8(e, VCPU(bt.interrupt_flag), R10);
    emit_mov_rm32(e, R10, VCPU(eflags));
    for (unsigned n = 0; n < GPR_COUNT; n++)
        if (n != EAX)
            emit_mov_rm32(e, host_gpr(n), GPR(n));
    emit_mov_rm64(e, R13, VCPU(bt.jump_now));
    load_flags(e);
    emit_mov_rm32(e, RAX, GPR(EAX));
    emit_mov_rm64(e, RSP, VCPU(bt.return_rsp));
}

/* Back to bt_enter()'s caller with the exit kind; rsp is monitor_rsp. */
static void epilogue(struct emit *e, enum bt_exit kind)
{
    emit_mov_ri32(e, RAX, kind);
    emit_lea64(e, RSP, HMEM(RSP, 8));
    for (unsigned n = ARRAY_LEN(saved_regs); n--;)
        emit_pop_r64(e, saved_regs[n]);
    emit_ret(e);
}

static uint32_t make_enter(struct emit *e, bool gs)
{
    uint32_t at = e->at;

    for (unsigned n = 0; n < ARRAY_LEN(saved_regs); n++)
        emit_push_r64(e, saved_regs[n]);
    emit_lea64(e, RSP, HMEM(RSP, -8)); /* 8 + 6 * 8 + 8 bytes since the caller's aligned rsp */
    emit_lea64(e, R15, HMEM(RDI, BT_PTR_BIAS));
    emit_mov_mr64(e, VCPU(bt.monitor_rsp), RSP);
    emit_mov_rr64(e, R8, RSI);
    emit_mov_rr64(e, R14, RDX);
    if (gs)
        emit_wrgsbase_r(e, R14);
    reload(e);
    emit_jmp_r(e, R8);
    return at;
}

static uint32_t make_exit(struct emit *e, enum bt_exit kind)
{
    uint32_t at = e->at;

    emit_mov_mr32(e, VCPU(bt.exit_arg), R8);
    spill(e);
    epilogue(e, kind);
    return at;
}

/* The stub into which a signal's handler returns (bt_host_trap(), bt_break_in()). */
static uint32_t make_trap_exit(struct emit *e, enum bt_exit kind)
{
    uint32_t at = e->at;

    emit_cld(e);
    epilogue(e, kind);
    return at;
}

static uint32_t make_callout(struct emit *e, uint64_t c_function)
{
    uint32_t at = e->at, leave;

    spill(e);
    emit_lea64(e, RDI, HMEM(R15, -BT_PTR_BIAS));
    emit_mov_rr32(e, RSI, R8);
    emit_mov_ri64(e, RAX, c_function);
    emit_call_r(e, RAX);
    emit_insn_r(e, 0, MAP_1, 0x85, RAX, RAX); /* test */
    leave = emit_jcc(e, 5, e->at);            /* jnz */
    reload(e);
    emit_ret(e);
    emit_here32(e, leave);
    epilogue(e, BT_EXIT_DISPATCH);
    return at;
}

/* Guest registers that a C function may clobber. */
static const uint8_t clobbered[] = {EAX, ECX, EDX, ESI, EDI};

static void clobbered_reload(struct emit *e)
{
    for (unsigned n = 0; n < ARRAY_LEN(clobbered); n++)
        emit_mov_rm32(e, host_gpr(clobbered[n]), GPR(clobbered[n]));
}

/* Calls a C function that needs none of the guest's state but those registers, with rsi = r9 and
 * rdx = r11. Leaves r11d = the low byte of its answer, r10d = the flags, r8 as it was; the
 * registers are still in the vCPU. */
static void light_call_out(struct emit *e, uint64_t c_function)
{
    emit_mov_mi8(e, VCPU(bt.in_cache), 0);
    for (unsigned n = 0; n < ARRAY_LEN(clobbered); n++)
        emit_mov_mr32(e, GPR(clobbered[n]), host_gpr(clobbered[n]));
    emit_mov_mr64(e, VCPU(bt.return_rsp), RSP); /* which may have no room for a push */
    emit_mov_rm64(e, RSP, VCPU(bt.monitor_rsp));
    emit_pushfq(e);
    emit_cld(e);
    emit_push_r64(e, R8); /* two: the stack stays aligned */
    emit_lea64(e, RDI, HMEM(R15, -BT_PTR_BIAS));
    emit_mov_rr32(e, RSI, R9);
    emit_mov_rr32(e, RDX, R11);
    emit_mov_ri64(e, RAX, c_function);
    emit_call_r(e, RAX);
    emit_insn_r(e, EMIT_BYTE, MAP_0F, 0xb6, R11, RAX); /* movzx */
    emit_pop_r64(e, R8);
    emit_pop_r64(e, R10);
}

/* Goes back to translated code after light_call_out(), with the guest's flags from r10d and ecx =
 * r11d. */
static void light_call_back(struct emit *e)
{
    load_flags(e);
    emit_mov_rm64(e, RSP, VCPU(bt.return_rsp));
    emit_mov_rr32(e, RCX, R11);
}

static void light_call(struct emit *e, uint64_t c_function)
{
    light_call_out(e, c_function);
    light_call_back(e);
}

/* A load of a segment register that changes nothing else. Makes the full callout when
 * bt_load_segment() declines. */
static uint32_t make_load_seg(struct emit *e, bool pop, uint32_t callout)
{
    uint32_t at = e->at, decline;

    light_call(e, (uint64_t)(uintptr_t)bt_load_segment);
    decline = emit_jrcxz8(e);
    clobbered_reload(e);
    if (pop)
        emit_lea32(e, R12, HMEM(R12, 4));
    emit_ret(e);
    emit_here8(e, decline);
    clobbered_reload(e);
    emit_jmp(e, callout);
    return at;
}

/* LAR and its kin, whose answer is ZF alone; the other flags stay. Makes the full callout when
 * bt_inspect_segment() declines. */
static uint32_t make_inspect(struct emit *e, uint32_t callout)
{
    uint32_t at = e->at, keep, decline;

    light_call_out(e, (uint64_t)(uintptr_t)bt_inspect_segment);
    emit_insn_r(e, 0, MAP_1, 0x85, R11, R11); /* test */
    keep = emit_jcc8(e, 4);                   /* jz */
    emit_alu_ri32(e, ALU_AND, R10, ~(uint32_t)EFL_ZF);
    emit_mov_rr32(e, R9, R11);
    emit_alu_ri32(e, ALU_AND, R9, EFL_ZF);
    emit_alu_rr32(e, ALU_OR, R10, R9);
    emit_here8(e, keep);
    light_call_back(e);
    decline = emit_jrcxz8(e);
    clobbered_reload(e);
    emit_ret(e);
    emit_here8(e, decline);
    clobbered_reload(e);
    emit_jmp(e, callout);
    return at;
}
_Static_assert(EFL_ZF < 0x100 && BT_INSPECTED < 0x100, "light_call_out() leaves a byte");

static bool read_tsc(struct vcpu *v)
{
    uint64_t tsc = control_guest_tsc(v);

    v->stats.bt_callouts++;
    v->gpr[EAX] = (uint32_t)tsc;
    v->gpr[EDX] = (uint32_t)(tsc >> 32);
    return true;
}

static uint32_t make_rdtsc(struct emit *e)
{
    uint32_t at = e->at;

    light_call(e, (uint64_t)(uintptr_t)read_tsc);
    clobbered_reload(e);
    emit_ret(e);
    return at;
}

/* r14, and the GS base with it, become what the context's window is now. WRGSBASE takes some 20
 * cycles: only if it changes. Clobbers r10 and the flags. */
static void change_window(struct emit *e, bool gs)
{
    uint32_t same;

    if (!gs) {
        emit_mov_rm64(e, R14, VCPU(bt.window_now));
        return;
    }
    emit_mov_rm64(e, R10, VCPU(bt.window_now));
    emit_insn_r(e, EMIT_W, MAP_1, 0x39, R10, R14); /* cmp */
    same = emit_jcc8(e, 4);                        /* je */
    emit_mov_rr64(e, R14, R10);
    emit_wrgsbase_r(e, R14);
    emit_here8(e, same);
}

/* As make_callout(), but the C function says where to go on: a host address, or 0 to leave. */
static uint32_t make_callout_jump(struct emit *e, uint64_t c_function, bool gs)
{
    uint32_t at = e->at, leave;

    spill(e);
    emit_lea64(e, RDI, HMEM(R15, -BT_PTR_BIAS));
    emit_mov_rr32(e, RSI, R8);
    emit_mov_ri64(e, RAX, c_function);
    emit_call_r(e, RAX);
    emit_insn_r(e, EMIT_W, MAP_1, 0x85, RAX, RAX); /* test */
    leave = emit_jcc(e, 4, e->at);                 /* jz */
    emit_mov_rr64(e, R11, RAX);
    change_window(e, gs);
    reload(e);
    emit_jmp_r(e, R11);
    emit_here32(e, leave);
    epilogue(e, BT_EXIT_DISPATCH);
    return at;
}

/* The end of a stub, after a C function that says in al whether to go on: goes on at v->eip through
 * the jump map, or leaves. */
static uint32_t make_far_end(struct emit *e, const struct bt *bt)
{
    uint32_t at = e->at, leave;

    emit_insn_r(e, EMIT_BYTE, MAP_1, 0x84, RAX, RAX); /* test */
    leave = emit_jcc(e, 4, e->at);                    /* jz */
    emit_mov_rm32(e, R8, VCPU(eip));
    change_window(e, bt->gs);
    reload(e);
    tu_jump_map_emit(e, bt);
    emit_jmp_r(e, R9);
    emit_here32(e, leave);
    epilogue(e, BT_EXIT_DISPATCH);
    return at;
}

static uint32_t make_callout_far(struct emit *e, uint64_t c_function, uint32_t far_end)
{
    uint32_t at = e->at;

    spill(e);
    emit_lea64(e, RDI, HMEM(R15, -BT_PTR_BIAS));
    emit_mov_rr32(e, RSI, R8);
    emit_mov_ri64(e, RAX, c_function);
    emit_call_r(e, RAX);
    emit_jmp(e, far_end);
    return at;
}

/* Goes to the block for guest address r8d, or out. Flag-free. */
static uint32_t make_lookup(struct emit *e, const struct bt *bt)
{
    uint32_t at = e->at;

    tu_jump_map_emit(e, bt);
    emit_jmp_r(e, R9);
    return at;
}

/* Goes to `to` with rcx from r9. */
static uint32_t make_other(struct emit *e, uint32_t to)
{
    uint32_t at = e->at;

    emit_mov_rr64(e, RCX, R9);
    emit_jmp(e, to);
    return at;
}

/* The distance of a host address from r15, to which emitted code adds it. */
static uint32_t from_r15(const struct vcpu *v, uint64_t host)
{
    int64_t distance = (int64_t)(host - ((uintptr_t)v + BT_PTR_BIAS));

    VMM_CHECK(distance == (int32_t)distance);
    return (uint32_t)distance;
}

/* Emits: r9 = offset of the entry for r8d in write_tag[], divided by 8. */
static void write_tag_offset(struct emit *e)
{
    emit_shrx_rrr32(e, R9, R8, R15);
    emit_movzx_rr8(e, R9, R9);
    emit_lea32(e, R9, HMEM_INDEX(R9, R9, 0, 0));
    emit_lea32(e, R9, HMEM_INDEX(R9, R9, 0, 0));
}
_Static_assert(BT_WRITE_TAGS == 256, "write_tag_offset() takes a byte");

/* Does the write at r8d touch code? bt/run/write_map.h. Returns rcx = 0 and r9 = addend if it does
 * not and may be done; else rcx is not 0. Flag-free; r10, r11 are kept. */
static uint32_t make_code_write(struct emit *e, unsigned user)
{
    const int32_t set = (int32_t)(user * sizeof(struct bt_write_tag) * BT_WRITE_TAGS);
    uint32_t at = e->at, match, free, miss;

    write_tag_offset(e);
    emit_mov_rm32(e, RCX, HMEM_INDEX(R15, R9, 3, BT_OFF(bt.write_tag[0][0].tag) + set));
    emit_lea32(e, RCX, HMEM_INDEX(RCX, R8, 0, 0));
    emit_shrx_rrr32(e, RCX, RCX, R15);
    match = emit_jrcxz8(e);
    miss = e->at;
    emit_mov_mr32(e, VCPU(bt.write_gla), R8);
    emit_mov_mi8(e, VCPU(bt.write_missed), 1);
    emit_ret(e);
    emit_here8(e, match);
    emit_mov_rm64(e, R9, HMEM_INDEX(R15, R9, 3, BT_OFF(bt.write_tag[0][0].bits) + set));
    emit_mov_ri32(e, RCX, GUEST_PAGE_MASK & ~7u);
    emit_pext_rrr32(e, RCX, R8, RCX); /* byte of the map */
    emit_mov_rm64(e, RCX, HMEM_INDEX(R9, RCX, 0, 0));
    emit_mov_ri32(e, R9, 7);
    emit_pext_rrr32(e, R9, R8, R9); /* bit in it */
    emit_shrx_rrr64(e, RCX, RCX, R9);
    emit_movzx_rm8(e, R9, VCPU(bt.write_shift));
    emit_shlx_rrr64(e, RCX, RCX, R9);
    free = emit_jrcxz8(e);
    emit_jmp(e, miss);
    emit_here8(e, free);
    write_tag_offset(e);
    emit_mov_rm64(e, R9, HMEM_INDEX(R15, R9, 3, BT_OFF(bt.write_tag[0][0].addend) + set));
    emit_ret(e);
    return at;
}

void bt_stubs_make(struct vcpu *v, struct bt *bt)
{
    struct bt_stubs *s = &bt->stubs;
    struct emit e = {.rw = bt->cache.arena->rw, .at = 0, .end = 4096};

    s->enter = make_enter(&e, bt->gs);
    s->exit_chain = make_exit(&e, BT_EXIT_CHAIN);
    s->exit_lookup = make_exit(&e, BT_EXIT_LOOKUP);
    s->trap_exit = make_trap_exit(&e, BT_EXIT_TRAP);
    s->break_exit = make_trap_exit(&e, BT_EXIT_BREAK);
    s->callout = make_callout(&e, (uint64_t)(uintptr_t)bt_callout);
    s->callout_step = make_callout_jump(&e, (uint64_t)(uintptr_t)bt_callout_step, bt->gs);
    v->bt.jump_miss = bt_host_address(bt, s->exit_lookup);
    bt->jump_miss = from_r15(v, v->bt.jump_miss);
    uint32_t far_end = make_far_end(&e, bt);
    s->callout_far = make_callout_far(&e, (uint64_t)(uintptr_t)bt_callout_far, far_end);
    s->sysenter = make_callout_far(&e, (uint64_t)(uintptr_t)bt_callout_sysenter, far_end);
    s->sysexit = make_callout_far(&e, (uint64_t)(uintptr_t)bt_callout_sysexit, far_end);
    for (unsigned pop = 0; pop < 2; pop++)
        s->load_seg[pop] = make_load_seg(&e, pop, s->callout);
    s->inspect = make_inspect(&e, s->callout);
    s->rdtsc = make_rdtsc(&e);
    bt->return_last = from_r15(v, v->host->return_top - 1);
    s->lookup = make_lookup(&e, bt);
    s->return_other = make_other(&e, s->lookup);
    s->return_miss = e.at;
    emit_mov_rm64(&e, RSP, VCPU(bt.return_base)); /* where this stub's address still lies */
    emit_jmp(&e, s->lookup);
    for (unsigned user = 0; user < 2 && bt_bmi2(v, bt); user++)
        s->code_write[user] = make_code_write(&e, user);
    bt->cache.fixed = bt->cache.at = (e.at + 63) & ~63u;
}
