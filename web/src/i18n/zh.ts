/** Every word of the workstation in Chinese. `en.ts` must have the same keys; a test compares. */
export const zh = {
  'app.name': '门口 Menkou',
  'app.line': '县域医共体工作站',
  yes: '是', no: '否', none: '无', close: '关闭', again: '重试', loading: '读取中…',
  'unit.day': '天',
  'lang.other': 'English',

  'login.title': '登录', 'login.username': '用户名', 'login.password': '密码', 'login.go': '登录',
  'login.change': '修改密码', 'login.old': '当前密码', 'login.new': '新密码', 'login.again': '再输一次新密码', 'login.save': '保存新密码',
  'login.differ': '两次输入的新密码不同', 'login.must-change': '首次登录请先修改密码。', 'login.ended': '{{name}}的登录已到期，请重新登录；已填写的内容都还在。', 'login.other': '换人登录',
  'login.post': '请选择本次工作的岗位',

  'menu.leave': '退出登录', 'menu.post': '切换岗位', 'menu.large': '大字模式',
  'live.live': '实时', 'live.connecting': '连接中', 'live.down': '断线',
  'live.live-long': '实时更新中', 'live.connecting-long': '正在连接服务器', 'live.down-long': '与服务器的实时连接已断开，正在重连；列表可能不是最新',

  'role.village-doctor': '村医', 'role.township-doctor': '乡镇医生', 'role.technician': '技师', 'role.reader': '诊断医生',
  'role.county-doctor': '县级医生', 'role.referral-office': '转诊办公室', 'role.family-doctor': '家庭医生', 'role.consortium-office': '医共体办公室',
  'role.system-administrator': '系统管理员', 'role.security-administrator': '安全管理员', 'role.audit-administrator': '审计管理员', 'role.integrator': '接口账号',

  'gender.male': '男', 'gender.female': '女', 'gender.other': '未说明', 'gender.unknown': '未知',
  'age.years': '{{n}}岁', 'age.months': '{{n}}个月', 'age.days': '{{n}}天',
  'weekday.0': '周日', 'weekday.1': '周一', 'weekday.2': '周二', 'weekday.3': '周三', 'weekday.4': '周四', 'weekday.5': '周五', 'weekday.6': '周六',

  'priority.routine': '普通', 'priority.urgent': '加急', 'priority.asap': '尽快', 'priority.stat': '特急',

  'figures.page': '统计指标', 'figures.month': '本月', 'figures.last-month': '上月', 'figures.quarter': '本季度', 'figures.custom': '自选时段', 'figures.start': '从', 'figures.end': '到',
  'figures.all': '全部机构', 'figures.whole': '{{name}}（全部）', 'figures.print': '打印', 'figures.fresh': '数据截至 {{at}}', 'figures.compared': '与 {{from}} 至 {{to}} 比较',
  'figures.missing': '—  无数据', 'figures.before-missing': '上期无数据', 'figures.same': '与上期相同', 'figures.better': '好转', 'figures.worse': '变差', 'figures.points': '{{n}} 个百分点',
  'figures.minutes': '{{n}} 分钟', 'figures.hours': '{{n}} 小时', 'figures.days': '{{n}} 天', 'figures.cases': '{{n}} 例', 'figures.unit-share': '%', 'figures.unit-count': '例', 'figures.unit-minutes': '分钟',
  'figures.value': '数值', 'figures.basis': '依据', 'figures.part': '起始日', 'figures.institution': '机构', 'figures.from': '申请机构', 'figures.to': '接收机构', 'figures.outcome': '目前状态',
  'figures.trend': '趋势', 'figures.institutions': '各机构比较', 'figures.priority': '按紧急程度', 'figures.path': '流向',
  'figures.open-rows': '查看病例', 'figures.back': '返回统计', 'figures.rows-all': '全部', 'figures.rows-above': '符合', 'figures.rows-below': '不符合', 'figures.no-rows': '没有可查看的病例', 'figures.newer': '较新', 'figures.older': '较早',

  'col.name': '姓名', 'col.gender': '性别', 'col.age': '年龄', 'col.birth': '出生日期', 'col.card': '证件号码', 'col.phone': '电话', 'col.address': '住址',
  'col.priority': '紧急', 'col.state': '状态', 'col.clock': '时限', 'col.what': '事项', 'col.requester': '申请机构', 'col.owner': '待办方', 'col.claimant': '认领人', 'col.asked': '申请时间',

  'find.title': '查找居民', 'find.short': '拼音首字母/姓名/身份证/电话', 'find.placeholder': '拼音首字母、全拼、姓名、身份证号或电话',
  'find.how': '输入拼音首字母（如 lgz）、全拼、姓名、完整身份证号或电话号码；↑↓ 选择，回车打开。',
  'find.partial': '请输入完整的 18 位身份证号或电话号码。', 'find.none': '没有找到。可在右侧登记新居民。',
  'find.elsewhere': '本县其他机构的居民（信息已脱敏）', 'find.visit': '登记就诊并打开',
  'grade.certain': '确定', 'grade.probable': '很可能', 'grade.possible': '可能', 'grade.certainly-not': '不是同一人',

  'register.title': '登记居民', 'register.kind': '证件', 'register.save': '保存登记', 'register.open': '打开此人', 'register.masked': '不在本机构范围，信息已脱敏',
  'register.digits': '已输入 {{n}} 位，共 18 位', 'register.estimated': '估计（只记年份）', 'register.address': '住址', 'register.address-hint': '乡镇、村、门牌',
  'register.mother': '母亲（监护人）', 'register.contact': '联系人', 'register.unknown-name': '无名氏',
  'register.duplicates': '可能已登记过：{{n}} 人', 'register.another': '已核对，确认不是同一人',
  'register.fault-number': '请填写证件号码', 'register.fault-name': '请填写姓名', 'register.fault-gender': '请选择性别', 'register.fault-birthDate': '请填写出生日期', 'register.fault-phone': '电话号码格式不对',
  'doc.card': '身份证', 'doc.birth': '出生医学证明', 'doc.newborn': '新生儿（未办证）', 'doc.passport': '护照', 'doc.permit': '港澳台通行证', 'doc.unknown': '身份不明',
  'card.good': '校验通过', 'card.length': '身份证号应为 18 位', 'card.characters': '身份证号只能是数字，末位可为 X', 'card.region': '前两位不是省级行政区代码', 'card.date': '出生日期不存在', 'card.future': '出生日期晚于今天', 'card.check': '校验位不符，请核对每一位',

  'glass.open': '紧急查看', 'glass.reason': '理由', 'glass.reason-emergency': '急诊抢救', 'glass.reason-consultation': '临时会诊', 'glass.reason-handover': '值班交接', 'glass.reason-other': '其他',
  'glass.text': '写明为何必须查看（至少 4 字）', 'glass.send': '打开档案', 'glass.close': '取消', 'glass.warning': '将限时打开，通知主管机构和医共体办公室，记入审计并逐例复核。',
  'glass.banner': '紧急查看中', 'glass.left': '还剩 {{span}}，至 {{at}}', 'glass.extend': '延长',
  'banner.title': '患者', 'banner.allergy': '过敏：', 'banner.no-allergy': '过敏史未见记录', 'banner.allergy-unread': '过敏史未能读取', 'banner.conditions': '诊断：', 'banner.no-card': '无身份证', 'banner.dead': '已故',

  'begin.title': '发起', 'begin.nothing': '目前没有可发起的事项',
  'chart.whole': '全部病程',
  'mine.title': '本机构发起的病例',
  'list.count': '{{n}} 条', 'list.empty': '暂无待办', 'list.unknown': '没有这个列表，或当前岗位无权查看。',
  'queue.open': '展开队列', 'queue.fold': '收起队列', 'queue.back': '返回列表',
  'home.administrator': '管理员账号不查看诊疗数据。备份与恢复请用 menkou 命令行。',

  'case.requester': '申请：', 'case.owner': '待办：', 'case.claimant': '认领：', 'case.part-of': '来自：', 'case.until': '至 {{at}}', 'case.next': '下一步：',
  'case.deadline': '时限 {{at}}', 'case.nothing-for-you': '当前没有需要您办理的操作', 'case.no-longer': '病例已变化，该操作已不可用；已填写的内容仍然保留。',
  'case.media': '图形', 'case.papers': '文书', 'case.steps': '经过', 'case.timeline': '时间轴', 'case.no-papers': '尚无文书。', 'case.by-clock': '系统（到时自动）',
  'clock.over': '超时 {{span}}',

  'form.remove': '删除', 'form.add': '添加', 'form.first': '请先填写：{{field}}', 'form.lookup-failed': '未能读取可选项：', 'form.slot-gone': '原选的号源（{{slot}}）已不可用，请另选。', 'form.nothing-free': '目前没有可选项。',
  'form.computed': '自动计算', 'form.restored': '已恢复 {{at}} 未提交的内容', 'form.restored-moved': '已恢复 {{at}} 未提交的内容；此后病例有变化，请核对', 'form.start-over': '重新填写', 'form.no-form': '确认执行“{{action}}”。',
  'sign.password': '密码（签名）', 'sign.password-optional': '密码（签名，可不填）', 'sign.signed': '已签名', 'sign.needed': '此操作需要签名，请再次输入密码',
  'fault.required': '必填', 'fault.min': '不能小于 {{limit}}', 'fault.max': '不能大于 {{limit}}', 'fault.too-long': '最多 {{limit}} 字', 'fault.too-short': '至少 {{limit}} 字',
  'fault.pattern': '格式不对', 'fault.decimals': '最多 {{limit}} 位小数', 'fault.whole': '应为整数', 'fault.few': '至少 {{limit}} 项', 'fault.many': '最多 {{limit}} 项', 'fault.too-large': '文件超过 {{limit}}',
  'files.drop': '点击选择文件，或拖到这里', 'files.drop-several': '点击选择文件，或拖到这里（可多个）', 'files.waiting': '文件上传中…',

  'save.local': '本机已存 {{at}}', 'save.draft': '草稿县级已存 {{at}}', 'save.unkept': '本机存储已满，内容未保存', 'save.sending': '正在上传…', 'save.county': '县级已收', 'save.county-at': '县级已收 {{at}}',
  'save.conflict': '冲突待处理：{{why}}', 'save.refused': '被拒：{{why}}', 'save.ended': '登录已到期，内容未提交，已存本机；登录后请再提交', 'save.see-fields': '请看标红处', 'save.unreached': '连不上服务器', 'save.unreached-kept': '连不上服务器，内容已存本机，可稍后再提交',
  'error.status': '服务器拒绝（{{status}}）', 'error.wait': '，请 {{seconds}} 秒后再试',

  'keys.title': '快捷键', 'keys.find': '查找居民', 'keys.register': '登记居民', 'keys.begin': '为当前居民发起', 'keys.main': '办理当前病例的主要操作',
  'keys.send': '提交表单', 'keys.close': '关闭右侧表单（内容保留）', 'keys.phrase': '插入第几个常用语', 'keys.list': '在列表中移动、打开', 'keys.queue': '队列中的上一个、下一个',
  'keys.print': '打印', 'keys.help': '显示或收起本表',

  'timeline.empty': '还没有任何记录。', 'timeline.no-case': '未归入病程的记录', 'timeline.unread': '以下内容未能读取：{{types}}',
  'kind.opened': '自动建立', 'kind.step': '办理', 'kind.result': '报告', 'kind.visit': '就诊', 'kind.booking': '预约', 'kind.form': '表单', 'kind.vital': '测量',
  'class.AMB': '门诊', 'class.EMER': '急诊', 'class.IMP': '住院', 'class.HH': '上门', 'class.VR': '远程',
  'type.DiagnosticReport': '报告', 'type.Encounter': '就诊', 'type.Appointment': '预约', 'type.Observation': '测量', 'type.Provenance': '经过',
  'status.final': '正式', 'status.preliminary': '初步', 'status.amended': '已修订', 'status.corrected': '已更正', 'status.registered': '已登记', 'status.entered-in-error': '作废',
  'status.booked': '已预约', 'status.proposed': '待确认', 'status.pending': '待确认', 'status.arrived': '已到', 'status.fulfilled': '已完成', 'status.cancelled': '已取消', 'status.noshow': '未到',
  'status.planned': '计划', 'status.in-progress': '进行中', 'status.finished': '已结束', 'status.triaged': '已分诊',

  'media.none': '没有图形。', 'media.compare': '与以前对比', 'media.choose-earlier': '选择以前的记录', 'media.no-earlier': '没有以前的记录可对比',
  'media.machine-person': '机器记录的受检者：{{said}}', 'media.other-person': '机器记录的受检者是 {{said}}，与当前患者不符，请核对', 'media.rebuilt': '有损压缩已还原，数值为近似值',
  'print.now': '打印', 'print.window': '在新窗口打开',
  'alert.title': '警报', 'alert.open': '立即处理', 'alert.more': '还有 {{n}} 条', 'alert.fewer': '收起', 'alert.sound-on': '打开声音', 'alert.sound-off': '关闭声音',

  'login.otp': '动态口令', 'login.otp-help': '请输入手机上显示的 6 位数字；手机不在身边时可输入一个恢复码。', 'menu.factor': '动态口令（第二因素）', 'factor.title': '启用动态口令', 'factor.must': '管理员须启用动态口令后才能继续。',
  'factor.begin': '下一步', 'factor.confirm': '启用', 'factor.scan': '用手机上的动态口令应用扫描：', 'factor.by-hand': '不能扫描时手工输入：', 'factor.first-code': '手机上当前显示的 6 位数字',
  'factor.recovery': '动态口令已启用。请妥善保存以下恢复码：每个只能用一次，此处只显示这一次。', 'factor.kept': '已保存', 'account.title': '账号管理', 'account.count': '共 {{n}} 个账号', 'account.new': '新建账号',
  'account.none': '没有符合条件的账号', 'account.find': '用户名、姓名或拼音首字母', 'account.any-state': '全部状态', 'account.any-role': '全部角色', 'account.role': '角色',
  'account.organization': '机构', 'account.posts': '岗位', 'account.others': '管理与接口', 'account.active': '正常', 'account.waiting': '待授权', 'account.first-password': '待改初始密码',
  'account.disabled': '已停用', 'account.locked': '已锁定', 'account.factor-on': '已启用', 'account.factor-off': '未启用', 'account.factor-on-long': '动态口令已启用',
  'account.factor-off-long': '动态口令未启用', 'account.col-username': '用户名', 'account.col-name': '姓名', 'account.col-posts': '岗位', 'account.col-state': '状态',
  'account.col-factor': '动态口令', 'account.col-created': '建立日期', 'account.username-rule': '1–64 个字母、数字、. - _', 'account.create': '建立账号',
  'account.once': '请当面告知以下一次性密码；只显示这一次，首次登录须修改。', 'account.needs-grant': '岗位须由安全管理员授权后才能登录。', 'account.propose-post': '增加岗位（待授权）', 'account.grant-post': '授权',
  'account.end-post': '终止', 'account.end-post-sure': '终止这个岗位？', 'account.post-proposed': '待授权', 'account.post-coming': '尚未开始', 'account.post-in-force': '有效',
  'account.post-ended': '已终止', 'account.disable': '停用', 'account.disable-sure': '停用此账号并结束其登录？', 'account.enable': '启用', 'account.enable-sure': '启用此账号？',
  'account.reset-password': '重置密码', 'account.reset-password-sure': '重置密码并结束其登录？', 'account.reset-factor': '解除动态口令', 'account.reset-factor-sure': '解除动态口令并结束其登录？',
  'account.end-sessions': '结束登录', 'account.end-sessions-sure': '结束此账号的所有登录？', 'account.unlock': '解除锁定', 'account.unlock-sure': '解除锁定？', 'account.sessions': '当前登录',
  'account.session': '{{since}} 登录，最近操作 {{seen}}', 'account.failures': '登录失败', 'account.failure': '{{address}}：{{n}} 次', 'account.locked-until': '锁定至 {{at}}',
} as const;

export type Words = Record<keyof typeof zh, string>;
