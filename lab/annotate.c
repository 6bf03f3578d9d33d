/* SPDX-License-Identifier: MIT */
/* annotate.c - see annotate.h. Rules are asked in order, the first that knows it answers. */
#include "lab/annotate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "monitor/cpu/vcpu.h"

/* Fields of the vCPU that translated code names, from the particular to the general. */
static const struct field {
    size_t from, to;
    const char *text;
} fields[] = {
#define FIELD(member, text)                                                                        \
    {                                                                                              \
        offsetof(struct vcpu, member),                                                             \
            offsetof(struct vcpu, member) + sizeof(((struct vcpu *)0)->member), text               \
    }
#define SEGMENT(n, name)                                                                           \
    FIELD(seg[n].sel, "the selector in the guest's " name),                                        \
        FIELD(seg[n].base, "the base of the guest's " name),                                       \
        FIELD(seg[n].room, "what the limit of the guest's " name " lets pass")
    FIELD(bt.interrupt_flag, "the guest's IF: a byte of the vCPU, no flag of the host"),
    FIELD(bt.jump_now, "r13 gets the jump map back"),
    FIELD(bt.shift, "scratch of a shift that keeps the flags"),
    FIELD(intr_line, "does an interrupt wait?"),
    FIELD(eflags, "the guest's other system flags (IOPL, NT, AC, ID)"),
    SEGMENT(SEG_ES, "ES"),
    SEGMENT(SEG_CS, "CS"),
    SEGMENT(SEG_SS, "SS"),
    SEGMENT(SEG_DS, "DS"),
    SEGMENT(SEG_FS, "FS"),
    SEGMENT(SEG_GS, "GS"),
    FIELD(ldtr.sel, "the selector in the guest's LDTR"),
    FIELD(tr.sel, "the selector in the guest's TR"),
    FIELD(gdtr, "the guest's GDTR"),
    FIELD(idtr, "the guest's IDTR"),
    FIELD(cr0, "the guest's CR0"),
    FIELD(cr2, "the guest's CR2"),
    FIELD(cr3, "the guest's CR3"),
    FIELD(cr4, "the guest's CR4"),
    FIELD(dr, "the guest's debug registers"),
    FIELD(tlb, "the software TLB"),
#undef SEGMENT
#undef FIELD
};

static const char *field_of(const char *text)
{
    const char *at = strstr(text, "[r15");

    if (!at || (at[4] != '+' && at[4] != '-') || at[5] != '0')
        return NULL;
    size_t offset = (size_t)(strtoll(at + 4, NULL, 16) + BT_PTR_BIAS);
    for (unsigned n = 0; n < ARRAY_LEN(fields); n++)
        if (offset >= fields[n].from && offset < fields[n].to)
            return fields[n].text;
    return "the vCPU";
}

/* The target of a CALL or of any jump; 0: none. */
static uint32_t target_of(const char *text)
{
    const char *at = strchr(text, ' ');

    if ((text[0] != 'j' && strncmp(text, "call", 4) != 0) || !at)
        return 0;
    return (uint32_t)strtoul(at, NULL, 16);
}

static const char *stub_name(const struct bt_stubs *s, uint32_t target)
{
    const struct {
        uint32_t at;
        const char *text;
    } stubs[] = {
        {s->callout, "callout: the interpreter's handler executes it, and comes back"},
        {s->callout_step, "callout: the interpreter decodes it and executes it"},
        {s->callout_far, "callout that ends the block: the interpreter's handler goes elsewhere"},
        {s->sysenter, "callout that ends the block, SYSENTER's"},
        {s->sysexit, "callout that ends the block, SYSEXIT's"},
        {s->load_seg[0], "short call: loads the segment register from the guest's GDT"},
        {s->load_seg[1], "short call: the same for POP"},
        {s->inspect, "short call: looks at the guest's descriptor, as the guest's ring may"},
        {s->rdtsc, "short call: the guest's counter, computed from the host's clock"},
        {s->exit_chain, "leaves the cache: the branch is not linked"},
        {s->exit_lookup, "leaves the cache: the target is not translated"},
        {s->lookup, "looks the target up in the jump map"},
    };

    for (unsigned n = 0; n < ARRAY_LEN(stubs); n++)
        if (target && stubs[n].at == target)
            return stubs[n].text;
    return NULL;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "TF IOPL NT": the flags that an immediate has. */
static bool flag_names(uint32_t mask, char *out, size_t cap)
{
    static const struct {
        uint32_t mask;
        const char *name;
    } flags[] = {{EFL_TF, "TF"}, {EFL_IF, "IF"}, {EFL_DF, "DF"}, {EFL_IOPL, "IOPL"},
                 {EFL_NT, "NT"}, {EFL_AC, "AC"}, {EFL_ID, "ID"}};
    size_t used = 0;

    out[0] = 0;
    for (unsigned n = 0; n < ARRAY_LEN(flags); n++)
        if (mask & flags[n].mask)
            used += (size_t)snprintf(out + used, cap - used, " %s", flags[n].name);
    return used > 0;
}

static bool note_test(const char *text, char *out, size_t cap)
{
    const char *value = strstr(text, ", 0x");
    char names[64];

    if (!begins(text, "test ") || !value ||
        !flag_names((uint32_t)strtoul(value + 2, NULL, 16), names, sizeof names))
        return false;
    snprintf(out, cap, "of these flags:%s", names);
    return true;
}

/* What it is for within one guest instruction's code. */
static const struct {
    const char *guest, *begins, *text;
} particular[] = {
    {"popf", "xor r8d, r13d", "what would change"},
    {"popf", "mov r10d, r13d", "the new flags"},
    {"popf", "shr r10d, 0x09", "their bit 9, the new IF"},
    {"popf", "and r10d, 0x01", "alone"},
    {"popf", "test r10d, r8d", "does IF become 1 while an interrupt waits?"},
    {"popf", "mov eax, r13d", "SAHF takes its flags from AH"},
    {"popf", "shl eax, 0x08", "there"},
    {"popf", "shr r13d, 0x0b", "the new OF"},
    {"popf", "and r13d, 0x01", "alone"},
    {"popf", "add r13b, 0x7f", "sets OF by an overflow if it is to be 1"},
    {"popf", "and r13d, 0xcd5", "arithmetic flags and DF, no other"},
    {"popf", "or r13d, 0x202", "the host's IF is 1, always"},
    {"popf", "push r13", "the slower way, when DF is to be 1"},
    {"pushf", "lea r11d, [r11+r9", "IOPL and above come in, the host's IF goes out"},
    {"pushf", "lea r11d, [r11+r10", "the guest's IF comes in"},
    {"mov", "movzx r11d", "the selector"},
    {"lar", "movzx r11d", "the selector"},
    {"lsl", "movzx r11d", "the selector"},
    {"ver", "movzx r11d", "the selector"},
};

/* What an instruction says by itself. */
static const struct {
    const char *begins, *text;
} plain[] = {
    {"pushfq", "CF PF AF ZF SF OF DF of the guest are the host's own"},
    {"popfq", "the flags are the guest's again"},
    {"sahf", "loads CF PF AF ZF SF"},
    {"cld", "DF as the guest wants it"},
    {"jrcxz", "a branch that needs no flag: they are the guest's"},
    {"mov r10, rcx", "rcx is the guest's: kept for a moment"},
    {"mov rcx, r10", "and given back"},
    {"mov r9, rcx", "rcx is the guest's: kept for a moment"},
    {"mov rcx, r9", "and given back"},
    {"mov r9d, eax", "eax is the guest's: kept for a moment"},
    {"mov eax, r9d", "and given back"},
    {"push r11", "back onto the host's stack"},
    {"pop r11", "from the host's stack"},
    {"lea r12d", "esp: what pushes and pops before it were folded to"},
    {"shrx", "a shift that keeps the flags"},
    {"rorx", "a rotation that keeps the flags"},
    {"ret", "a return that the host's CPU predicts"},
};

void annotate(const struct bt_stubs *s, const struct host_line *l, char *out, size_t cap)
{
    uint32_t target = target_of(l->text);
    const char *stub = stub_name(s, target), *field = field_of(l->text);

    out[0] = 0;
    if (stub) {
        snprintf(out, cap, "%s", stub);
    } else if (begins(l->text, "mov r8d, 0x") && stub_name(s, target_of(l->next))) {
        snprintf(out, cap, "which instruction it is: number of the site");
    } else if (begins(l->text, "mov r9d, 0x") && stub_name(s, target_of(l->next))) {
        snprintf(out, cap, "which register, and what of it");
    } else if (field) {
        snprintf(out, cap, "%s", field);
    } else if (strstr(l->text, "[r14+r12")) {
        snprintf(out, cap, "the guest's stack: r14 is its memory, r12d its esp");
    } else if (strstr(l->text, "[r14") || strstr(l->text, "gs:[")) {
        snprintf(out, cap, "the guest's memory, through its window");
    } else if (note_test(l->text, out, cap)) {
        return;
    } else if (target && l->cold && target >= l->cold && l->at < l->cold) {
        snprintf(out, cap, "to the cold part");
    } else if (target && l->cold && l->at >= l->cold && target < l->cold) {
        snprintf(out, cap, "goes on in the block");
    }
    for (unsigned n = 0; !out[0] && n < ARRAY_LEN(particular); n++)
        if (begins(l->guest, particular[n].guest) && begins(l->text, particular[n].begins))
            snprintf(out, cap, "%s", particular[n].text);
    for (unsigned n = 0; !out[0] && n < ARRAY_LEN(plain); n++)
        if (begins(l->text, plain[n].begins))
            snprintf(out, cap, "%s", plain[n].text);
    if (!out[0] && strcasecmp(l->guest, l->text) == 0)
        snprintf(out, cap, "as it is");
    else if (!out[0] && target)
        snprintf(out, cap, "a branch within the instruction's code");
}
