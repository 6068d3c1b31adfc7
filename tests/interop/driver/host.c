/*
 * The host as usrsctp sees it.
 *
 * Theory of operation
 *   The library learns the host's addresses from getifaddrs(), and all its packets pass sendmsg() and recvmsg().
 *   The functions of these names below stand in for those of the C library: the dynamic linker prefers a
 *   program's own symbol. So one unprivileged process is a host with several loopback addresses, each with its
 *   own cable that can be cut, and nothing on the machine is changed.
 *
 *   Loopback interfaces need no configuration for this: all of 127.0.0.0/8 is local on Linux. But the kernel
 *   would send everything from 127.0.0.1; host_set_routes() gives every cable its own source address.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct address_list own, routes, cut;
static unsigned lose_every, lose_count, lose_at;
static uint32_t lose_random;
static uint64_t lost;

socklen_t address_length(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
		              &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
	return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
	       ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
}

static int position(const struct address_list *list, const struct sockaddr *address)
{
	for (int i = 0; i < list->count; i++)
		if (same_address((const struct sockaddr *)&list->address[i], address))
			return i;
	return -1;
}

void host_set_addresses(const struct address_list *addresses)
{
	own = *addresses;
}

void host_set_routes(const struct address_list *peers)
{
	pthread_mutex_lock(&lock);
	routes = *peers;
	pthread_mutex_unlock(&lock);
}

void host_cut(const struct address_list *addresses)
{
	pthread_mutex_lock(&lock);
	cut = *addresses;
	pthread_mutex_unlock(&lock);
}

void host_lose(unsigned every)
{
	pthread_mutex_lock(&lock);
	lose_every = every;
	lose_count = 0;
	lose_random = 1;
	pthread_mutex_unlock(&lock);
}

uint64_t host_lost(void)
{
	pthread_mutex_lock(&lock);
	uint64_t count = lost;
	pthread_mutex_unlock(&lock);
	return count;
}

/*
 * Is it the turn of this packet to be lost? One of so many is, and which of them is drawn anew each time: where a
 * sender waits for a timeout, its packets repeat themselves, and a loss that kept time with them would hit the same
 * one again and again. The lock is held.
 */
static bool is_lost(void)
{
	if (lose_count == 0) {
		lose_random = lose_random * 1664525 + 1013904223;
		lose_at = (lose_random >> 16) % lose_every;
	}
	bool gone = lose_count == lose_at;
	lose_count = (lose_count + 1) % lose_every;
	return gone;
}

/* Does this packet vanish? The lock is held. */
static bool vanishes(const struct sockaddr *from, const struct sockaddr *to)
{
	bool gone = (from && position(&cut, from) >= 0) || (to && position(&cut, to) >= 0);

	gone = gone || (lose_every && is_lost());
	lost += gone;
	return gone;
}

/* ---- what the library calls ---- */

int getifaddrs(struct ifaddrs **list)
{
	struct ifaddrs *entries = calloc((size_t)own.count + 1, sizeof(*entries));

	if (!entries)
		return -1;
	for (int i = 0; i < own.count; i++) {
		entries[i].ifa_next = i + 1 < own.count ? &entries[i + 1] : NULL;
		entries[i].ifa_name = "cable";   /* not "lo": the library would not tell a peer of its addresses */
		entries[i].ifa_flags = IFF_UP | IFF_RUNNING;
		entries[i].ifa_addr = (struct sockaddr *)&own.address[i];
	}
	*list = entries;
	return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
	free(list);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct msghdr routed = *message;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	const struct sockaddr *to = message->msg_name, *from = NULL;
	bool gone = false;
	size_t total = 0;

	if (to) {
		pthread_mutex_lock(&lock);
		int route = position(&routes, to);
		if (route >= 0 && route < own.count && own.address[route].ss_family == to->sa_family)
			from = (const struct sockaddr *)&own.address[route];
		gone = vanishes(from, to);
		pthread_mutex_unlock(&lock);
	}
	if (gone) {
		for (size_t i = 0; i < message->msg_iovlen; i++)
			total += message->msg_iov[i].iov_len;
		return (ssize_t)total;
	}
	if (from && message->msg_controllen == 0) {
		memset(&control, 0, sizeof(control));
		routed.msg_control = &control;
		if (from->sa_family == AF_INET6) {
			struct in6_pktinfo info = {.ipi6_addr = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr};
			routed.msg_controllen = CMSG_SPACE(sizeof(info));
			control.header.cmsg_level = IPPROTO_IPV6;
			control.header.cmsg_type = IPV6_PKTINFO;
			control.header.cmsg_len = CMSG_LEN(sizeof(info));
			memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
		} else {
			struct in_pktinfo info = {.ipi_spec_dst = ((const struct sockaddr_in *)(const void *)from)->sin_addr};
			routed.msg_controllen = CMSG_SPACE(sizeof(info));
			control.header.cmsg_level = IPPROTO_IP;
			control.header.cmsg_type = IP_PKTINFO;
			control.header.cmsg_len = CMSG_LEN(sizeof(info));
			memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
		}
	}
	return syscall(SYS_sendmsg, fd, &routed, flags);
}

/* The address a packet was sent to, from its ancillary data. */
static bool destination(struct msghdr *message, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof(*to));
	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
		if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(item), sizeof(info));
			to->ss_family = AF_INET;
			((struct sockaddr_in *)to)->sin_addr = info.ipi_addr;
			return true;
		}
		if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(item), sizeof(info));
			to->ss_family = AF_INET6;
			((struct sockaddr_in6 *)to)->sin6_addr = info.ipi6_addr;
			return true;
		}
	}
	return false;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t length = syscall(SYS_recvmsg, fd, message, flags);
	struct sockaddr_storage to;

	if (length < 0 || !message->msg_name || message->msg_namelen == 0)
		return length;
	bool known = destination(message, &to);
	pthread_mutex_lock(&lock);
	bool gone = vanishes(message->msg_name, known ? (const struct sockaddr *)&to : NULL);
	pthread_mutex_unlock(&lock);
	if (!gone)
		return length;
	errno = EAGAIN;
	return -1;
}
