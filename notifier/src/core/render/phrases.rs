//! The fixed words of messages, in Korean and English.

use crate::core::message::Purpose;
use crate::core::words::Language;

/// The fixed words in one language.
#[derive(Debug)]
pub struct Phrases {
    /// Names of the parts of a message.
    pub what: &'static str,
    /// Tenant, host and group.
    pub place: &'static str,
    /// Since when it fires.
    pub since: &'static str,
    /// The latest value.
    pub value: &'static str,
    /// What the value was held against.
    pub threshold: &'static str,
    /// Label of the next step.
    pub next: &'static str,
    /// Why it was decided.
    pub why: &'static str,
    /// The button and link that acknowledge.
    pub acknowledge: &'static str,
    /// The button and link that show the incident.
    pub open: &'static str,
    /// The link to the runbook.
    pub runbook: &'static str,
    /// An earlier attempt may have arrived.
    pub possible_repeat: &'static str,
    /// What to do: acknowledge.
    pub next_acknowledge: &'static str,
    /// What to do: those before did not answer.
    pub next_escalated: &'static str,
    /// What to do: nobody of the policy answered.
    pub next_ran_out: &'static str,
    /// What to do: are you still on it?
    pub next_ack_ran_out: &'static str,
    /// How a call begins.
    pub voice_greeting: &'static str,
    /// What the digits of a phone do.
    pub voice_digits: &'static str,
    /// A digit acknowledged the incident.
    pub voice_taken: &'static str,
    /// Nothing had to be done: somebody has it, or it is over.
    pub voice_known: &'static str,
    /// A digit could not be carried out.
    pub voice_failed: &'static str,
    /// What a text message that is sent back may say.
    pub sms_how: &'static str,
    /// Several incidents are open: `{}` is their number.
    pub sms_several: &'static str,
    /// By whom, behind a name or in front of it: `{}` is the name.
    by: &'static str,
    purposes: [&'static str; 15],
}

/// English.
const EN: Phrases = Phrases {
    what: "What",
    place: "Where",
    since: "Since",
    value: "Value",
    threshold: "threshold",
    next: "Next",
    why: "Why",
    acknowledge: "Acknowledge",
    open: "Open",
    runbook: "Runbook",
    possible_repeat: "possible repeat",
    next_acknowledge: "acknowledge, then look into it",
    next_escalated: "nobody has acknowledged so far: please take it",
    next_ran_out: "everyone was told and nobody has acknowledged: someone must take it",
    next_ack_ran_out: "your acknowledgement ran out: acknowledge again if you are still on it",
    voice_greeting: "This is Bongsu",
    voice_digits: "To acknowledge, press 1",
    voice_taken: "Thank you. You have the incident.",
    voice_known: "Somebody has it already, or it is over.",
    voice_failed: "This could not be carried out. Please use the link of the message.",
    sms_how: "Reply 1 to acknowledge.",
    sms_several: "{} incidents are open. Please use the link of the one that you take.",
    by: "by {}",
    purposes: [
        "FIRING",
        "FIRING AGAIN",
        "RAISED",
        "ESCALATED",
        "UNANSWERED",
        "STILL ON IT?",
        "ASSIGNED TO YOU",
        "AGAIN AFTER SNOOZE",
        "MORE OF ITS GROUP",
        "ACKNOWLEDGED",
        "CLOSED",
        "RESOLVED",
        "EXPIRED",
        "COMMENT",
        "NOTICE",
    ],
};

/// Korean.
const KO: Phrases = Phrases {
    what: "내용",
    place: "대상",
    since: "시작",
    value: "현재값",
    threshold: "기준",
    next: "조치",
    why: "근거",
    acknowledge: "확인",
    open: "상세 보기",
    runbook: "런북",
    possible_repeat: "중복일 수 있음, possible repeat",
    next_acknowledge: "확인 후 점검해 주세요",
    next_escalated: "아직 확인한 사람이 없습니다. 맡아 주세요",
    next_ran_out: "모두에게 알렸으나 확인한 사람이 없습니다. 누군가 맡아야 합니다",
    next_ack_ran_out: "확인 시간이 끝났습니다. 계속 처리 중이면 다시 확인해 주세요",
    voice_greeting: "봉수 알림입니다",
    voice_digits: "확인하려면 1번을 누르세요",
    voice_taken: "확인되었습니다. 담당자로 지정되었습니다.",
    voice_known: "이미 다른 사람이 확인했거나 종료된 장애입니다.",
    voice_failed: "처리하지 못했습니다. 메시지의 링크를 이용해 주세요.",
    sms_how: "확인하려면 1로 답장하세요.",
    sms_several: "열린 장애가 {}건입니다. 맡을 장애의 링크를 이용해 주세요.",
    by: "{} 님",
    purposes: [
        "발생",
        "재발생",
        "상향",
        "에스컬레이션",
        "미확인",
        "처리 중인가요?",
        "배정됨",
        "미루기 종료",
        "묶음 추가",
        "확인됨",
        "종료",
        "복구",
        "만료",
        "댓글",
        "알림",
    ],
};

impl Phrases {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Ko => &KO,
        }
    }

    /// What happened, in a word or two.
    pub fn purpose(&self, purpose: Purpose) -> &'static str {
        self.purposes[purpose as usize]
    }

    /// Names who did it.
    pub fn by(&self, name: &str) -> String {
        self.by.replacen("{}", name, 1)
    }
}
