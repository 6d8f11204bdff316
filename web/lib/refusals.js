// Every refusal in the user's words: what happened, and what to do.
import { localTime, planName, plural } from "./format.js";

const SAME_KEY = new Set([undefined, "STORE_UNAVAILABLE", "AUTH_UNAVAILABLE", "BILLING_UNAVAILABLE", "RATE_LIMITED", "INTERNAL"]);

const PHOTO = {
  empty: "This file is empty. Choose it again.",
  notAnImage: "This file is not a photo. Choose another one.",
  heic: "This browser cannot read HEIC photos. Save it as JPEG, or take it in another app.",
  unsupportedFormat: "This kind of picture is not supported. Save it as JPEG.",
  cutOff: "This photo is incomplete. Send it again.",
  damaged: "This photo is damaged. Choose another one.",
  tooLarge: "This photo is too large. Make it smaller.",
  tooSmall: "This photo is too small to show anything. Choose another one.",
  tooLong: "This picture is too long to show anything. Crop it to the thing.",
  tooComplex: "This kind of picture is not supported. Save it as JPEG.",
  refused: "This photo cannot be classified. Choose another one.",
};

const TEXTS = {
  UNAUTHENTICATED: () => "You are not signed in any more. Reload the page.",
  APP_NOT_VERIFIED: () => "This app could not be verified. Reload the page.",
  AUTH_UNAVAILABLE: () => "We could not verify your sign-in just now. Try again.",
  STORE_UNAVAILABLE: () => "We could not reach our database just now. Try again.",
  DATA_DAMAGED: () => "There is a problem with your data. We have been notified; nothing was charged.",
  ACCOUNT_DELETED: () => "You have deleted this account. Sign out, and start with another one.",
  TEAM_NOT_FOUND: () => "You are not in this team any more. Choose who pays, or ask the team for a new invite.",
  MEMBER_LIMIT: ({ limit, used, resetsAt }) =>
    `You have spent ${used} of the ${plural(limit, "token")} that your team gives you a month. You get more ${localTime(resetsAt)}. Until then pay yourself, or ask the team for a higher limit.`,
  NOT_TEAM_ADMIN: () => "Only those who lead the team may do this. Ask one of its owners.",
  TEAM_FULL: ({ limit, of }) =>
    of === "team" ? `A team can have ${limit} members. Somebody has to leave it first.` : `You can be in ${limit} teams. Leave one first.`,
  INVITE_INVALID: () => "This invite is not valid any more. Ask for another one.",
  LAST_OWNER: () => "The team needs an owner. Make somebody else one first.",
  ACCOUNT_BLOCKED: () => "This account is blocked. Contact support.",
  PURCHASE_NOT_HERE: () => "This is not sold here.",
  UNKNOWN_PRODUCT: () => "This is not sold any more. Reload the page.",
  ALREADY_SUBSCRIBED: ({ plan }) => `You pay for the plan ${plan} already. Change it where you bought it.`,
  NOTHING_BOUGHT: () => "You have no plan that could be managed.",
  PAYMENT_METHOD_NEEDED: () => "Buy a pack first, and save your card with it.",
  SPENDING_LIMIT: ({ resetsAt }) => `Your own limit for this month is reached. Raise it, or wait until ${localTime(resetsAt)}.`,
  BILLING_UNAVAILABLE: ({ retryAfter }) =>
    `The payment service did not answer. What was paid is never lost; try again in ${retryAfter ?? 30} seconds.`,
  INSUFFICIENT_TOKENS: ({ price, balance }, payer) =>
    payer
      ? `This costs ${plural(price, "token")} and your team has ${balance}. Pay yourself, or tell the team's owner.`
      : `This costs ${plural(price, "token")} and you have ${balance}. Claim your bonus, or wait for your next tokens.`,
  PRICE_CHANGED: ({ price }) => `The price is ${plural(price, "token")} now. Nothing was charged.`,
  SETTINGS_CHANGED: ({ field }) => `Somebody else has changed ${field} meanwhile. Look at it, and apply again.`,
  DAILY_LIMIT: ({ resetsAt }) => `You have reached today's limit. It starts anew ${localTime(resetsAt)}.`,
  MONTHLY_LIMIT: ({ resetsAt }) => `You have reached this month's limit. It starts anew ${localTime(resetsAt)}.`,
  PLAN_REQUIRED: () => "Your plan does not have this.",
  CONVERSION_LIMIT: ({ tokensLeftToday, pointsAvailable, room }) =>
    `You can buy ${tokensLeftToday} more tokens today; you have ${pointsAvailable} points, and room for ${room} tokens.`,
  RATE_LIMITED: ({ retryAfter }) => `Too many at once. Try again in ${retryAfter ?? 5} seconds.`,
  INSTANT_CLOSED: () => "Instant answers are not available now. Choose Later.",
  BUDGET_EXHAUSTED: ({ resetsAt }) =>
    `Today's budget for instant answers is used up. They come back ${localTime(resetsAt)}; choose Later until then.`,
  INVALID_IMAGE: ({ problem }) => PHOTO[problem] ?? PHOTO.damaged,
  PHOTO_REFUSED: ({ refunded }) =>
    refunded === false
      ? "This photo cannot be classified, nor could several others today. It is not refunded."
      : "This photo cannot be classified. Your tokens are back; choose another one.",
  IMAGE_NOT_FOUND: () => "The photo is not there any more. Choose it again.",
  NOT_YOUR_IMAGE: () => "This photo belongs to another account. Choose it again.",
  JOB_NOT_FOUND: () => "This photo is not kept any more.",
  JOB_NOT_CANCELLABLE: () => "Too late to cancel: the photo is being classified.",
  JOB_NOT_UPGRADABLE: () => "No need to pay more: the photo is being classified already.",
  PROVIDER_UNAVAILABLE: ({ retryAfter }) =>
    `The classifier did not answer. Your tokens are back; try again in ${retryAfter ?? 30} seconds, or choose Later.`,
  INVALID_REQUEST: ({ field }) =>
    ({
      displayName: "This name cannot be shown. Take 2 to 20 letters of one alphabet, with at most four digits, that offend nobody.",
      name: "This name cannot be shown. Take up to 60 characters, without links, addresses and numbers to call.",
      code: "This is not the code of an invite, which has 26 letters and digits. Copy it again, or its link.",
      uid: "This member has left the team already.",
      preset: "This preset cannot be kept, or is gone. Take a name of 1 to 40 letters, digits, spaces and _ . -, and keep at most 20.",
      region: "This is no name of a place. Write one such as Germany or Austin, TX.",
      language: "This is no language. Write one such as de or pt-BR.",
      perk: "You have as many streak savers as you can have. Use one first.",
    })[field] ?? "This page has sent something that is not taken. Reload it.",
  INTERNAL: () => "Something went wrong on our side. Try again.",
  KEY_REUSED: () => "This request was made before. Reload the page.",
  NOT_ADMIN: ({ problem }) =>
    ({
      signInAgain: "Sign in again: changes are taken for 15 minutes after it.",
      emailNotVerified: "Verify your e-mail address first.",
      secondFactor: "Sign in with a second factor to change something.",
    })[problem] ?? "Only operators may do this.",
};

/** A call that was refused, or of which no answer came. `reason` is the functions' constant, undefined without one;
 * `forOperators` are the functions' own words where these name what an operator has typed. */
export class Refusal extends Error {
  constructor(text, reason, details, said = text) {
    super(text);
    this.reason = reason;
    this.details = details;
    this.forOperators = reason === "INVALID_REQUEST" ? said : text;
  }

  /** Whether the same request may be sent again as it is: its outcome is not known, or it came too early. */
  get mayRepeat() {
    return SAME_KEY.has(this.reason);
  }

  /** `payer`: the team whose tokens were to be spent, if it was one's. */
  static of(error, payer) {
    const details = error.details && typeof error.details === "object" ? error.details : {};
    const { reason } = details;
    const unanswered = navigator.onLine
      ? "Something went wrong on our side. Try again."
      : "You are offline. It goes on when you are back.";
    const text = TEXTS[reason]?.(details, payer) ?? (reason ? error.message : unanswered);
    const helps = details.plans?.map(({ plan }) => ` With the plan ${planName(plan)} it would be taken.`) ?? [];
    return new Refusal(text + helps.join(""), reason, details, error.message);
  }
}

const FAILURES = {
  IMAGE_NOT_FOUND: "The photo was removed before its turn came.",
  PROVIDER_REJECTED: "The classifier does not take this photo. Choose another one.",
  ANSWER_UNUSABLE: "The classifier could make nothing of it.",
};

/** Says why a job has failed. */
export function failureText({ error, chargeStands }) {
  if (!error) return "It failed.";
  const why = error.problem ? (PHOTO[error.problem] ?? PHOTO.damaged) : (FAILURES[error.code] ?? error.message);
  return chargeStands ? `${why} Several of today's photos showed nothing usable, so this one is not refunded.` : why;
}

const SIGN_IN = {
  "auth/email-already-in-use": "There is an account with this address. Sign in instead.",
  "auth/invalid-credential": "Address and password do not belong together.",
  "auth/invalid-email": "This is no e-mail address.",
  "auth/network-request-failed": "You are offline. Try again when you are back.",
  "auth/operation-not-allowed": "This way to sign in is not open here.",
  "auth/too-many-requests": "Too many tries. Wait a few minutes.",
  "auth/user-not-found": "Address and password do not belong together.",
  "auth/weak-password": "Choose a password of at least six characters.",
  "auth/wrong-password": "Address and password do not belong together.",
};

/** Says why signing in has failed, from Firebase's error. */
export const signInProblem = ({ code }) => SIGN_IN[code] ?? "Signing in failed. Try again.";
