// Words that the desk's screens share. Each screen's own stand in its folder.

export const words = {
  'leave': 'Leave',
  'done': 'Done',
  'copy': 'Copy',
  'copied': 'Copied',
  'reading': 'Reading …',
  'notdone': 'It was not done.',
  'nowhere': 'Nothing is called “{name}”.',
  'more': 'Show more',
  'shown': '{n} of {all} are shown',
  'all': 'all',
  'why': 'Why',
  'note': 'Note',
  'keep': 'Keep',
  'kept': 'Kept',

  // What somebody else wrote meanwhile
  'meanwhile.lead': '{who} has changed it meanwhile, {time}. Nothing was kept, and nothing that you wrote is lost.',
  'meanwhile.lead.nobody': 'It was changed meanwhile. Nothing was kept, and nothing that you wrote is lost.',
  'meanwhile.what': 'What',
  'meanwhile.was': 'Was',
  'meanwhile.is': 'Is now',
  'meanwhile.yours': 'Yours',
  'meanwhile.absent': 'not there',
  'meanwhile.more': 'and {n} more',
  'meanwhile.none': 'It comes to the same as what you read.',
  'meanwhile.both': 'Where you both changed one thing, yours stands.',
  'meanwhile.merge': 'Take it in, yours on top',
  'meanwhile.leave': 'Take it as it is, leave mine',
} as const;
