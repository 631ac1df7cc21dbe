import kafkajs from 'kafkajs';
import type { Assignment, Cluster, GroupMember, GroupMemberAssignment, PartitionAssigner } from 'kafkajs';
import type { ConsumerOptions } from '../../core/ports.ts';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
/** Of Kafka's own format of subscriptions and assignments; from 1 on it has fields that kafkajs doesn't write. */
const VERSION = 0;

/** Partition n of every topic goes to the same member, so that one transaction can cover them. */
export function dealSameNumberTogether(
  partitionCounts: ReadonlyMap<string, number>,
  memberCount: number,
): Assignment[] {
  return deal(partitionCounts, memberCount, (partition) => partition);
}

/** Every partition on its own, evenly. */
export function dealSpread(partitionCounts: ReadonlyMap<string, number>, memberCount: number): Assignment[] {
  let dealt = 0;
  return deal(partitionCounts, memberCount, () => dealt++);
}

function deal(
  partitionCounts: ReadonlyMap<string, number>,
  memberCount: number,
  place: (partition: number) => number,
): Assignment[] {
  const hands: Assignment[] = Array.from({ length: memberCount }, () => ({}));
  const topics = [...partitionCounts].sort(([left], [right]) => (left < right ? -1 : 1));
  for (const [topic, count] of topics) {
    for (let partition = 0; partition < count; partition += 1) {
      const hand = hands[place(partition) % memberCount] as Assignment;
      hand[topic] = [...(hand[topic] ?? []), partition];
    }
  }
  return hands;
}

export function assignerFor(assignment: ConsumerOptions['assignment']): PartitionAssigner {
  const isTogether = assignment === 'same-number-together';
  const name = isTogether ? 'seam-same-number-together' : 'seam-spread';
  const dealOut = isTogether ? dealSameNumberTogether : dealSpread;
  return ({ cluster }) => ({
    name,
    version: VERSION,
    assign: async ({ members, topics }) => assign(cluster, { members, topics }, dealOut),
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({ version: VERSION, topics, userData: Buffer.alloc(0) }),
    }),
  });
}

function assign(
  cluster: Cluster,
  group: { members: readonly GroupMember[]; topics: readonly string[] },
  dealOut: typeof dealSpread,
): GroupMemberAssignment[] {
  const memberIds = group.members.map((member) => member.memberId).sort();
  const counts = new Map(group.topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]));
  return dealOut(counts, memberIds.length).map((assignment, index) => ({
    memberId: memberIds[index] as string,
    memberAssignment: MemberAssignment.encode({ version: VERSION, assignment, userData: Buffer.alloc(0) }),
  }));
}
