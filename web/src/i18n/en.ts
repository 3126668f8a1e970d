import type { Words } from './zh.ts';

export const en: Words = {
  'app.name': 'Menkou 门口',
  'app.line': 'County medical consortium workstation',
  yes: 'Yes', no: 'No', none: 'none', close: 'Close', again: 'Try again', loading: 'Loading…',
  'unit.day': 'd ',
  'lang.other': '中文',

  'login.title': 'Log in', 'login.username': 'User name', 'login.password': 'Password', 'login.go': 'Log in',
  'login.change': 'Change password', 'login.old': 'Current password', 'login.new': 'New password', 'login.again': 'New password again', 'login.save': 'Save new password',
  'login.differ': 'The two new passwords differ', 'login.must-change': 'Please change your password at the first log-in.', 'login.ended': 'The session of {{name}} is over. Log in again; what was filled in is still there.', 'login.other': 'Log in as somebody else',
  'login.post': 'Choose the post you work in now',

  'menu.leave': 'Log out', 'menu.post': 'Switch post', 'menu.large': 'Large letters',
  'live.live': 'Live', 'live.connecting': 'Connecting', 'live.down': 'Offline',
  'live.live-long': 'Updates arrive live', 'live.connecting-long': 'Connecting to the server', 'live.down-long': 'The live line is broken and is being restored; lists may be out of date',

  'role.village-doctor': 'Village doctor', 'role.township-doctor': 'Township doctor', 'role.technician': 'Technician', 'role.reader': 'Reader',
  'role.county-doctor': 'County doctor', 'role.referral-office': 'Referral office', 'role.family-doctor': 'Family doctor', 'role.consortium-office': 'Consortium office',
  'role.system-administrator': 'System administrator', 'role.security-administrator': 'Security administrator', 'role.audit-administrator': 'Audit administrator', 'role.integrator': 'Integrator',

  'gender.male': 'male', 'gender.female': 'female', 'gender.other': 'other', 'gender.unknown': 'unknown',
  'age.years': '{{n}} y', 'age.months': '{{n}} mo', 'age.days': '{{n}} d',
  'weekday.0': 'Sun', 'weekday.1': 'Mon', 'weekday.2': 'Tue', 'weekday.3': 'Wed', 'weekday.4': 'Thu', 'weekday.5': 'Fri', 'weekday.6': 'Sat',

  'priority.routine': 'routine', 'priority.urgent': 'urgent', 'priority.asap': 'asap', 'priority.stat': 'stat',

  'figures.page': 'Figures', 'figures.month': 'This month', 'figures.last-month': 'Last month', 'figures.quarter': 'This quarter', 'figures.custom': 'Own period', 'figures.start': 'From', 'figures.end': 'To',
  'figures.all': 'All institutions', 'figures.whole': '{{name}} (all)', 'figures.print': 'Print', 'figures.fresh': 'As of {{at}}', 'figures.compared': 'compared with {{from}} to {{to}}',
  'figures.missing': '—  no data', 'figures.before-missing': 'no data before', 'figures.same': 'as before', 'figures.better': 'better', 'figures.worse': 'worse', 'figures.points': '{{n}} points',
  'figures.minutes': '{{n}} min', 'figures.hours': '{{n}} h', 'figures.days': '{{n}} d', 'figures.cases': '{{n}} cases', 'figures.unit-share': '%', 'figures.unit-count': 'cases', 'figures.unit-minutes': 'min',
  'figures.value': 'Value', 'figures.basis': 'Of', 'figures.part': 'From', 'figures.institution': 'Institution', 'figures.from': 'From', 'figures.to': 'To', 'figures.outcome': 'State now',
  'figures.trend': 'Over time', 'figures.institutions': 'Institutions compared', 'figures.priority': 'By urgency', 'figures.path': 'Ways',
  'figures.open-rows': 'Open the cases', 'figures.back': 'Back to the figures', 'figures.rows-all': 'All', 'figures.rows-above': 'Counted', 'figures.rows-below': 'Not counted', 'figures.no-rows': 'No cases to show', 'figures.newer': 'Newer', 'figures.older': 'Older',

  'col.name': 'Name', 'col.gender': 'Sex', 'col.age': 'Age', 'col.birth': 'Born', 'col.card': 'Number', 'col.phone': 'Telephone', 'col.address': 'Address',
  'col.priority': 'Urgency', 'col.state': 'State', 'col.clock': 'Clock', 'col.what': 'What', 'col.requester': 'Requested by', 'col.owner': 'Must act', 'col.claimant': 'Claimed by', 'col.asked': 'Requested',

  'find.title': 'Find a resident', 'find.short': 'Pinyin, name, ID card, telephone', 'find.placeholder': 'Pinyin initials or full, name, ID card number or telephone',
  'find.how': 'Type pinyin initials (such as lgz), full pinyin, a name, a complete ID card number or a telephone number; ↑↓ choose, Enter opens.',
  'find.partial': 'Type the complete 18 characters of the ID card or the telephone number.', 'find.none': 'Nobody found. Register a new resident at the right.',
  'find.elsewhere': 'Residents of other institutions in the county (masked)', 'find.visit': 'Register a visit and open',
  'grade.certain': 'certain', 'grade.probable': 'probable', 'grade.possible': 'possible', 'grade.certainly-not': 'somebody else',

  'register.title': 'Register a resident', 'register.kind': 'Document', 'register.save': 'Save', 'register.open': 'Open this one', 'register.masked': 'Outside your institution, masked',
  'register.digits': '{{n}} of 18 characters', 'register.estimated': 'Estimated (year only)', 'register.address': 'Address', 'register.address-hint': 'township, village, number',
  'register.mother': 'Mother (guardian)', 'register.contact': 'Contact', 'register.unknown-name': 'Unknown person',
  'register.duplicates': 'Perhaps registered already: {{n}}', 'register.another': 'Checked: this is somebody else',
  'register.fault-number': 'The number is missing', 'register.fault-name': 'The name is missing', 'register.fault-gender': 'Choose the sex', 'register.fault-birthDate': 'The birth date is missing', 'register.fault-phone': 'This is not a telephone number',
  'doc.card': 'ID card', 'doc.birth': 'Birth certificate', 'doc.newborn': 'Newborn, no document', 'doc.passport': 'Passport', 'doc.permit': 'Travel permit', 'doc.unknown': 'Unknown',
  'card.good': 'Check passed', 'card.length': 'An ID card has 18 characters', 'card.characters': 'Digits only; the last may be X', 'card.region': 'The first two digits are no province', 'card.date': 'This birth date does not exist', 'card.future': 'The birth date is in the future', 'card.check': 'The check character is wrong; compare every digit',

  'glass.open': 'Break the glass', 'glass.reason': 'Reason', 'glass.reason-emergency': 'Emergency', 'glass.reason-consultation': 'Consultation', 'glass.reason-handover': 'Handover', 'glass.reason-other': 'Other',
  'glass.text': 'Why it must be seen (4 characters or more)', 'glass.send': 'Open the record', 'glass.close': 'Cancel', 'glass.warning': 'Opened for a limited time; the institution in charge and the consortium office are told, it is audited and reviewed.',
  'glass.banner': 'Opened in an emergency', 'glass.left': '{{span}} left, until {{at}}', 'glass.extend': 'Prolong',
  'banner.title': 'Patient', 'banner.allergy': 'Allergies:', 'banner.no-allergy': 'No allergy recorded', 'banner.allergy-unread': 'Allergies could not be read', 'banner.conditions': 'Conditions:', 'banner.no-card': 'no ID card', 'banner.dead': 'deceased',

  'begin.title': 'Start', 'begin.nothing': 'Nothing to start now',
  'chart.whole': 'Whole chart',
  'mine.title': 'Cases of our institution',
  'list.count': '{{n}} rows', 'list.empty': 'Nothing to do', 'list.unknown': 'There is no such list, or your post may not see it.',
  'queue.open': 'Show the queue', 'queue.fold': 'Hide the queue', 'queue.back': 'Back to the list',
  'home.administrator': 'Administrators read no clinical data. Accounts, backup and audit are managed by the menkou command line.',

  'case.requester': 'Requested by', 'case.owner': 'Must act:', 'case.claimant': 'Claimed by', 'case.part-of': 'From:', 'case.until': 'until {{at}}', 'case.next': 'Next:',
  'case.deadline': 'Deadline {{at}}', 'case.nothing-for-you': 'Nothing for you to do here now', 'case.no-longer': 'The case has changed and this action is no longer possible; what you typed is kept.',
  'case.media': 'Drawing', 'case.papers': 'Papers', 'case.steps': 'Steps', 'case.timeline': 'Timeline', 'case.no-papers': 'No papers yet.', 'case.by-clock': 'System (by the clock)',
  'clock.over': 'over by {{span}}',

  'form.remove': 'Remove', 'form.add': 'Add', 'form.first': 'First fill in: {{field}}', 'form.lookup-failed': 'The choices could not be read:', 'form.slot-gone': 'The slot chosen before ({{slot}}) is no longer free; choose another.', 'form.nothing-free': 'Nothing to choose from now.',
  'form.computed': 'computed', 'form.restored': 'Restored what was not sent at {{at}}', 'form.restored-moved': 'What was not sent at {{at}} is restored; the case has changed since, please check', 'form.start-over': 'Start over', 'form.no-form': 'Confirm “{{action}}”.',
  'sign.password': 'Password (to sign)', 'sign.password-optional': 'Password (to sign, optional)', 'sign.signed': 'Signed', 'sign.needed': 'This action signs; give your password again',
  'fault.required': 'Required', 'fault.min': 'At least {{limit}}', 'fault.max': 'At most {{limit}}', 'fault.too-long': 'At most {{limit}} characters', 'fault.too-short': 'At least {{limit}} characters',
  'fault.pattern': 'Wrong format', 'fault.decimals': 'At most {{limit}} decimals', 'fault.whole': 'A whole number', 'fault.few': 'At least {{limit}}', 'fault.many': 'At most {{limit}}', 'fault.too-large': 'The file is larger than {{limit}}',
  'files.drop': 'Choose a file or drop it here', 'files.drop-several': 'Choose files or drop them here', 'files.waiting': 'Files are being sent…',

  'save.local': 'On this machine {{at}}', 'save.draft': 'Draft at the county {{at}}', 'save.unkept': 'This machine is full; nothing is kept', 'save.sending': 'Sending…', 'save.county': 'At the county', 'save.county-at': 'At the county {{at}}',
  'save.conflict': 'Conflict: {{why}}', 'save.refused': 'Refused: {{why}}', 'save.ended': 'The session is over: not sent, kept on this machine; log in and send again', 'save.see-fields': 'see the fields in red', 'save.unreached': 'The server cannot be reached', 'save.unreached-kept': 'The server cannot be reached; kept on this machine, send it later',
  'error.status': 'The server refused ({{status}})', 'error.wait': '; try again in {{seconds}} s',

  'keys.title': 'Keys', 'keys.find': 'Find a resident', 'keys.register': 'Register a resident', 'keys.begin': 'Begin something for this resident', 'keys.main': 'The main action of this case',
  'keys.send': 'Send the form', 'keys.close': 'Close the form (what was typed is kept)', 'keys.phrase': 'Insert a phrase by its number', 'keys.list': 'Move in a list, open', 'keys.queue': 'The one before, the next in the queue',
  'keys.print': 'Print', 'keys.help': 'Show this list or put it away',

  'timeline.empty': 'Nothing recorded yet.', 'timeline.no-case': 'Outside any case', 'timeline.unread': 'Could not be read: {{types}}',
  'kind.opened': 'Opened by another case', 'kind.step': 'Steps', 'kind.result': 'Reports', 'kind.visit': 'Visits', 'kind.booking': 'Bookings', 'kind.form': 'Forms', 'kind.vital': 'Measurements',
  'type.DiagnosticReport': 'reports', 'type.Encounter': 'visits', 'type.Appointment': 'bookings', 'type.Observation': 'measurements', 'type.Provenance': 'steps',
  'status.final': 'final', 'status.preliminary': 'preliminary', 'status.amended': 'amended', 'status.corrected': 'corrected', 'status.registered': 'registered', 'status.entered-in-error': 'void',
  'status.booked': 'booked', 'status.proposed': 'to be confirmed', 'status.pending': 'to be confirmed', 'status.arrived': 'arrived', 'status.fulfilled': 'done', 'status.cancelled': 'cancelled', 'status.noshow': 'did not come',
  'status.planned': 'planned', 'status.in-progress': 'in progress', 'status.finished': 'finished', 'status.triaged': 'triaged',

  'media.none': 'Nothing to draw.', 'media.compare': 'Compare with', 'media.choose-earlier': 'an earlier one', 'media.no-earlier': 'No earlier one to compare with',
  'media.machine-person': 'Recorded for: {{said}}', 'media.other-person': 'The machine recorded {{said}}, not this patient: please check', 'media.rebuilt': 'Lossy compression undone: values are near, not exact',
  'print.now': 'Print', 'print.window': 'Open in a window',
  'alert.title': 'Alerts', 'alert.open': 'Act now', 'alert.more': '{{n}} more', 'alert.fewer': 'Show fewer', 'alert.sound-on': 'Sound on', 'alert.sound-off': 'Sound off',
};
