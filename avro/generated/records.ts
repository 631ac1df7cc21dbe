// Generated from avro/*.avsc by avro/generate.ts: run `npm run generate`. Never edited by hand.

/** OPEN is to be paid, PAID is settled, VOID was cancelled. */
export type InvoiceStatus = 'OPEN' | 'PAID' | 'VOID';
/** An invoice and whether it is paid. Maintained by the finance system. */
export type Invoice = {
  /** Canonical id: that of the request where the invoice came from one, else `FI-` and the finance system's number. */
  readonly invoiceId: string;
  /** Shipment that was invoiced; null for invoices written by hand. */
  readonly shipmentId: string | null;
  /** Web order that was invoiced; null for invoices written by hand. */
  readonly orderId: string | null;
  /** Amount of the invoice, in `currency`. */
  readonly amount: string;
  /** ISO 4217 code, e.g. `USD`. */
  readonly currency: string;
  /** Whether the invoice is paid. */
  readonly status: InvoiceStatus;
  /** Day on the invoice. */
  readonly issuedOn: string;
  /** When the payment was booked, UTC; null until then. */
  readonly paidAt: bigint | null;
};

/** A request to invoice a shipment. Computed by the step `bill` when goods leave. */
export type InvoiceRequest = {
  /** Canonical id of the invoice: `IN-` and the shipment id without `SH-`. The finance system assigns its own number. */
  readonly invoiceId: string;
  /** Shipment to be invoiced. */
  readonly shipmentId: string;
  /** Web order to be invoiced. */
  readonly orderId: string;
  /** Amount to be invoiced, in `currency`. */
  readonly amount: string;
  /** ISO 4217 code, e.g. `USD`. */
  readonly currency: string;
  /** When the goods left, UTC. */
  readonly requestedAt: bigint;
};

/** STORE sells to customers, WAREHOUSE stores for stores, BAKERY makes goods to order. */
export type LocationKind = 'STORE' | 'WAREHOUSE' | 'BAKERY';
/** A place of the chain that sells, stores or makes goods. Maintained by the stock system. */
export type Location = {
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. */
  readonly locationId: string;
  /** Name as the chain uses it in lists and on reports. */
  readonly name: string;
  /** What the place is for. */
  readonly kind: LocationKind;
  /** IANA time zone of the place, e.g. `America/New_York`; local times of its tills are read in it. */
  readonly timeZone: string;
  /** First day of business; null where nobody recorded it. */
  readonly openedOn: string | null;
};

/** What a market researcher reports of one product at one competitor in one week. Loaded into the customer system by hand. */
export type MarketSurvey = {
  /** Week of the survey, counted as the chain counts its weeks. */
  readonly week: number;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Name of the competitor as the researcher gives it. */
  readonly competitor: string;
  /** Units the market sold in that week, estimated by the researcher. */
  readonly marketUnits: bigint;
  /** Average price of one unit in that week, in the chain's currency. */
  readonly averagePrice: string;
  /** Day of the survey; null where the researcher did not say. */
  readonly surveyedOn: string | null;
};

/** Loyalty tier, from lowest to highest. */
export type MemberTier = 'BASE' | 'SILVER' | 'GOLD';
/** ACTIVE takes part in the programme, CLOSED left it. */
export type MemberStatus = 'ACTIVE' | 'CLOSED';
/** A customer who joined the loyalty programme. Maintained by the customer system; the phone number is in `member-contact`. */
export type Member = {
  /** Canonical id of the member: the member number of the customer system as text. */
  readonly memberId: string;
  /** Name as the member gave it. */
  readonly fullName: string;
  /** Address for mail to the member; null when none was given. */
  readonly email: string | null;
  /** Date of birth, for birthday offers; null when not given. */
  readonly birthDate: string | null;
  /** Loyalty tier. The customer system derives it from the points balance. */
  readonly tier: MemberTier;
  /** Whether the member takes part in the programme. */
  readonly status: MemberStatus;
  /** Points the member may spend now, in points. A sum: points entries change it, as does the customer system itself. */
  readonly pointsBalance: bigint;
  /** Day on which the member joined; null for members older than the records. */
  readonly joinedOn: string | null;
  /** Id of the member in the online shop; null for members who never ordered online. */
  readonly reference: string | null;
};

/** How to reach a member by phone. Written in the customer system and at the tills: the newest commit wins. */
export type MemberContact = {
  /** Canonical id of the member: the member number of the customer system as text. */
  readonly memberId: string;
  /** Phone number as typed by the clerk or the member; null when the member gave none or had it removed. */
  readonly phone: string | null;
};

/** Loyalty points earned or taken back by one line of a sale. Computed by the step `points` from `sale-line`. */
export type PointsEntry = {
  /** Id of the sale line that caused the entry: sale id, a hyphen, line number. */
  readonly entryId: string;
  /** Canonical id of the member: the member number of the customer system as text. */
  readonly memberId: string;
  /** Sale the points come from. */
  readonly saleId: string;
  /** Points added to the balance; negative when goods were returned. One whole unit of money earns one point. */
  readonly points: number;
  /** When the goods were sold or returned, UTC. */
  readonly earnedAt: bigint;
};

/** What one unit of a product costs the customer in one price zone. Maintained by the stock system. */
export type Price = {
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Price zone: a group of stores with the same prices, e.g. `01`. */
  readonly zone: string;
  /** Price of one unit, in `currency`, tax as in the stock system. */
  readonly amount: string;
  /** ISO 4217 code of the price, e.g. `USD`. */
  readonly currency: string;
  /** First day on which the price holds. */
  readonly validFrom: string;
  /** Remark of the pricing clerk, e.g. the reason for the price. */
  readonly note: string | null;
};

/** NATIONAL is a maker's brand, PRIVATE the chain's own. */
export type ProductBrand = 'NATIONAL' | 'PRIVATE';
/** ACTIVE may be sold, DELISTED is no longer offered; past sales still refer to it. */
export type ProductStatus = 'ACTIVE' | 'DELISTED';
/** An article the chain sells, with its cost. Maintained by the stock system; prices are a record of their own, per zone. */
export type Product = {
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Name of the article as printed on receipts and lists. */
  readonly description: string;
  /** Department of the store that sells it, e.g. `GROCERY`. */
  readonly department: string;
  /** Commodity group within the department; null where the article is not grouped. */
  readonly category: string | null;
  /** Whose brand the article carries; drives margin reports. */
  readonly brand: ProductBrand;
  /** Size as printed on the package, e.g. `12 OZ`; text for people, not for arithmetic. */
  readonly packageSize: string | null;
  /** What one unit costs the chain, in the chain's currency, from the stock system's costing. */
  readonly unitCost: string;
  /** Whether the article is offered. */
  readonly status: ProductStatus;
  /** Long text for buyers and labels: ingredients, handling. May be large; absent from a record when it did not change. */
  readonly specification: string | null;
  /** Picture of the article as stored by the stock system, file contents unchanged. */
  readonly image: Uint8Array | null;
};

/** From planned to done, or given up. */
export type ProductionPlanStatus = 'PLANNED' | 'RUNNING' | 'COMPLETED' | 'CANCELLED';
/** The making of goods, planned and tracked by the stock system. */
export type ProductionPlan = {
  /** Plan number of the stock system; `PP-` and the order id for plans that came from a web order. */
  readonly planId: string;
  /** Web order that is made; null for goods made for the shelf. */
  readonly orderId: string | null;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the goods are wanted. */
  readonly locationId: string;
  /** Units to be made. */
  readonly quantity: string;
  /** Value of the goods, in the chain's currency. */
  readonly orderValue: string;
  /** How far the making has come. */
  readonly status: ProductionPlanStatus;
  /** Day on which the goods are to be made; null while not scheduled. */
  readonly plannedFor: string | null;
  /** When the goods were finished, UTC; null until then. */
  readonly completedAt: bigint | null;
};

/** A request to plan the making of one web order. Computed by the step `plan` from `sales-order`. */
export type ProductionPlanRequest = {
  /** Id of the plan to be made: `PP-` and the order id. */
  readonly planId: string;
  /** Web order to be made. */
  readonly orderId: string;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the goods are wanted. */
  readonly locationId: string;
  /** Units to be made. */
  readonly quantity: string;
  /** Quantity times unit price, in the chain's currency, exact. */
  readonly orderValue: string;
  /** When the order was placed, UTC. */
  readonly requestedAt: bigint;
};

/** One receipt of a till. Recorded by the till system of the stores; its articles are in `sale-line`. */
export type Sale = {
  /** Basket number of the till system as text. */
  readonly saleId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. The store that sold. */
  readonly locationId: string;
  /** Member whose card was shown; null for a sale without a card. */
  readonly memberId: string | null;
  /** When the receipt was closed, UTC; the till's local time read in the time zone of the chain. */
  readonly soldAt: bigint;
  /** Amount of the receipt after discounts, in the chain's currency. */
  readonly total: string;
  /** How it was paid, as the till's code, e.g. `CASH`; null when the till recorded none. */
  readonly tender: string | null;
};

/** SALE leaves the store, RETURN comes back to it. */
export type SaleLineKind = 'SALE' | 'RETURN';
/** One article on one receipt, sold or returned. Recorded by the till system; stock and points follow from it. */
export type SaleLine = {
  /** Basket number of the till system as text. */
  readonly saleId: string;
  /** Place of the line on the receipt, from 1. */
  readonly lineNumber: number;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. The store that sold. */
  readonly locationId: string;
  /** Member whose card was shown; null for a sale without a card. */
  readonly memberId: string | null;
  /** Units sold or returned; never negative, `kind` tells the direction. Weighed goods have decimals. */
  readonly quantity: string;
  /** Money for the line after discount, in the chain's currency; never negative, `kind` tells the direction. */
  readonly amount: string;
  /** Money taken off the shelf price of the line, in the chain's currency. */
  readonly discount: string;
  /** Direction of the goods. */
  readonly kind: SaleLineKind;
  /** When the receipt was closed, UTC. */
  readonly soldAt: bigint;
};

/** NEW is to be made, CANCELLED was withdrawn. */
export type SalesOrderStatus = 'NEW' | 'CANCELLED';
/** A web order of a member for one product made to order. Taken by the customer system. */
export type SalesOrder = {
  /** Order number of the customer system as text. */
  readonly orderId: string;
  /** Canonical id of the member: the member number of the customer system as text. */
  readonly memberId: string;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the member collects the goods. */
  readonly locationId: string;
  /** Units the member ordered. */
  readonly quantity: string;
  /** Agreed price of one unit, in the chain's currency. */
  readonly unitPrice: string;
  /** When the order was placed, UTC. */
  readonly orderedAt: bigint;
  /** Whether the order stands. */
  readonly status: SalesOrderStatus;
  /** What the member wrote with the order, e.g. the text on a cake. */
  readonly message: string | null;
};

/** REQUESTED waits, SHIPPED is on its way, DELIVERED arrived. */
export type ShipmentStatus = 'REQUESTED' | 'SHIPPED' | 'DELIVERED';
/** Goods on their way, tracked by the logistics system. */
export type Shipment = {
  /** Shipment number of the logistics system. */
  readonly shipmentId: string;
  /** Web order the goods are for; null for transfers between locations. */
  readonly orderId: string | null;
  /** Production plan the goods come from; null for goods from the shelf. */
  readonly planId: string | null;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. As recorded by the logistics system for the shipment. */
  readonly locationId: string;
  /** Units in the shipment. */
  readonly quantity: string;
  /** Value declared to the carrier, in the chain's currency. */
  readonly declaredValue: string;
  /** How far the shipment has come. */
  readonly status: ShipmentStatus;
  /** When the goods left, UTC; null until then. */
  readonly shippedAt: bigint | null;
};

/** A request to ship goods that were made to order. Computed by the step `ship` when a production plan completes. */
export type ShipmentRequest = {
  /** Id of the shipment to be made: `SH-` and the plan id without `PP-`. */
  readonly shipmentId: string;
  /** Production plan that completed. */
  readonly planId: string;
  /** Web order the goods are for. */
  readonly orderId: string;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the goods are to go. */
  readonly locationId: string;
  /** Units to be shipped. */
  readonly quantity: string;
  /** Value declared to the carrier, in the chain's currency. */
  readonly declaredValue: string;
  /** When the goods were finished, UTC. */
  readonly requestedAt: bigint;
};

/** How much of a product a location has now. Maintained by the stock system: movements and clerks' corrections change it. */
export type StockLevel = {
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. */
  readonly locationId: string;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Units in stock now; negative when more was sold than was recorded as received. */
  readonly onHand: string;
  /** Day of the last physical count; null when never counted. */
  readonly countedOn: string | null;
};

/** What moved the goods. */
export type StockMovementReason = 'SALE' | 'RETURN';
/** Goods that left or entered a location because of one sale line. Computed by the step `stock` from `sale-line`. */
export type StockMovement = {
  /** Id of the sale line that caused the movement: sale id, a hyphen, line number. */
  readonly movementId: string;
  /** Canonical id of the product: the digits of the chain's product number. */
  readonly productId: string;
  /** Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the stock changed. */
  readonly locationId: string;
  /** Units added to the stock; negative for a sale. */
  readonly quantity: string;
  /** Why the goods moved. */
  readonly reason: StockMovementReason;
  /** When the goods moved, UTC: the time of the receipt. */
  readonly movedAt: bigint;
};

/** Every entity's record, by the name of the entity. */
export type CanonicalTypes = {
  readonly 'invoice': Invoice;
  readonly 'invoice-request': InvoiceRequest;
  readonly 'location': Location;
  readonly 'market-survey': MarketSurvey;
  readonly 'member': Member;
  readonly 'member-contact': MemberContact;
  readonly 'points-entry': PointsEntry;
  readonly 'price': Price;
  readonly 'product': Product;
  readonly 'production-plan': ProductionPlan;
  readonly 'production-plan-request': ProductionPlanRequest;
  readonly 'sale': Sale;
  readonly 'sale-line': SaleLine;
  readonly 'sales-order': SalesOrder;
  readonly 'shipment': Shipment;
  readonly 'shipment-request': ShipmentRequest;
  readonly 'stock-level': StockLevel;
  readonly 'stock-movement': StockMovement;
};

/** The key fields of every entity. */
export type CanonicalKeys = {
  readonly 'invoice': 'invoiceId';
  readonly 'invoice-request': 'invoiceId';
  readonly 'location': 'locationId';
  readonly 'market-survey': 'week' | 'productId' | 'competitor';
  readonly 'member': 'memberId';
  readonly 'member-contact': 'memberId';
  readonly 'points-entry': 'entryId';
  readonly 'price': 'productId' | 'zone';
  readonly 'product': 'productId';
  readonly 'production-plan': 'planId';
  readonly 'production-plan-request': 'planId';
  readonly 'sale': 'saleId';
  readonly 'sale-line': 'saleId' | 'lineNumber';
  readonly 'sales-order': 'orderId';
  readonly 'shipment': 'shipmentId';
  readonly 'shipment-request': 'shipmentId';
  readonly 'stock-level': 'locationId' | 'productId';
  readonly 'stock-movement': 'movementId';
};

export type EntityName = keyof CanonicalTypes;

export type KeyName<E extends EntityName> = CanonicalKeys[E] & keyof CanonicalTypes[E];
